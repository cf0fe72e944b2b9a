package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/idna"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func applyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "apply -f FILE|DIR", Short: "Create and change stores as files describe them",
		Long: `apply reads stores from files, prints what would be created and what differs from the record, asks, and requests just that. A store that is on record as
its document says is left alone. A store that no document names is left alone too: apply deletes nothing.

A document is a request as the API takes it, and the whole of what is wanted: a setting that it leaves out has its default. Where it leaves out cluster or
suspended, the store stays where and as it is. A file has documents of YAML, separated by ---, or JSON, and a document has one store or a list of them. Of a folder
all *.yaml, *.yml and *.json are read, without the folders in it. The field request of orchestrator show ID -o yaml is such a document.

A store that gets another request after it was compared is left alone, and apply says so. A request that is refused does not stop the others.

Exit code: 0 if nothing differs, or if every request was accepted; with --dry-run 3 if something differs; 1 if a document is wrong, in which case nothing is requested,
or if a request was not accepted.`,
		Example: `  orchestrator apply -f stores/ --dry-run
  orchestrator apply -f stores.yaml --yes
  orchestrator show my-shop -o json | jq .request | orchestrator apply -f - --dry-run`,
		Args: func(c *cobra.Command, args []string) error {
			if path, _ := c.Flags().GetString("file"); len(args) > 0 || path == "" {
				return usageError{errors.New("apply takes -f and a file, a folder, or - for standard input")}
			}
			return nil
		},
		RunE: apply,
	}
	c.Flags().StringP("file", "f", "", "file or folder with stores, - for standard input")
	c.Flags().Bool("dry-run", false, "print what differs, and request nothing")
	c.Flags().Bool("yes", false, "do not ask")
	outputFlag(c)
	return c
}

// comparison is a store that a document describes, and how that differs from its record.
type comparison struct {
	StoreID string   `json:"store_id"`
	Action  string   `json:"action"` // create, change or none
	Changes []change `json:"changes,omitempty"`

	wanted     posted
	generation int64            // that was compared; 0: there is no record
	failed     provision.Status // of a store that does not differ
}

func (p comparison) differs() bool { return p.Action != "none" }

func apply(c *cobra.Command, _ []string) error {
	path, _ := c.Flags().GetString("file")
	wanted, err := readStores(c, path)
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	compared := make([]comparison, len(wanted))
	for i, one := range wanted {
		if compared[i], err = compare(c, client, one); err != nil {
			return fmt.Errorf("%s: %w", one.StoreID, err)
		}
	}
	if err := printComparisons(c, compared); err != nil {
		return err
	}
	differing := slices.DeleteFunc(compared, func(p comparison) bool { return !p.differs() })
	dry, _ := c.Flags().GetBool("dry-run")
	switch {
	case len(differing) == 0:
		return nil
	case dry:
		return errDiffers
	}
	err = confirm(c, len(differing), question{
		without: "%d stores would be created or changed; add --yes to do it", ask: "Create or change these %d stores?", no: "nothing was requested",
	})
	if err != nil {
		return err
	}
	return forEach(c, differing, func(p comparison) string { return p.StoreID }, func(p comparison) error { return p.request(c, client) })
}

// compare finds out how a store is on record.
func compare(c *cobra.Command, client *api.Client, wanted posted) (comparison, error) {
	p := comparison{StoreID: wanted.StoreID, Action: "create", wanted: wanted}
	s, err := client.Store(c.Context(), wanted.StoreID)
	if api.IsNotFound(err) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.generation = s.Generation
	if !exists(s) || s.Action == provision.OpDelete {
		return p, nil
	}
	p.Action, p.Changes = "change", differences(s, wanted)
	if len(p.Changes) == 0 {
		p.Action = "none"
		if s.Status.Final() && !s.Status.Succeeded() {
			p.failed = s.Status
		}
	}
	return p, nil
}

// differences are what a request would change of a store that is there. The record has hosts as DNS has them; another spelling of one is no difference.
func differences(s provision.State, wanted posted) []change {
	spelled := wanted.Request
	spelled.Host, spelled.StoreURL, spelled.BaseURL = spelledHost(spelled.Host), spelledURL(spelled.StoreURL), spelledURL(spelled.BaseURL)
	all := changesOf(*s.Request, spelled)
	if lives := cmp.Or(s.Cluster, provision.DefaultCluster); wanted.Cluster != "" && wanted.Cluster != lives {
		all = append(all, change{"cluster", lives, wanted.Cluster})
	}
	if wanted.Suspended != nil && *wanted.Suspended != s.Suspended {
		all = append(all, change{"suspended", s.Suspended, *wanted.Suspended})
	}
	if !s.DeleteAt.IsZero() { // any request keeps it
		all = append(all, change{"deleted", "at " + s.DeleteAt.Format(time.RFC3339), "kept"})
	}
	return all
}

// spelledHost is a host in lower case and punycode, without a dot at its end. What is none stays as it is: the service says what is wrong with it.
func spelledHost(host string) string {
	plain, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil {
		return host
	}
	return plain
}

// spelledURL is a URL with such a host.
func spelledURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || strings.Contains(u.Host, "[") {
		return raw
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	host := spelledHost(u.Hostname())
	if after, ok := strings.CutPrefix(rest, u.Hostname()); ok {
		return strings.ToLower(scheme) + "://" + host + after
	}
	return raw
}

func (p comparison) request(c *cobra.Command, client *api.Client) error {
	body, err := json.Marshal(p.wanted)
	if err != nil {
		return err
	}
	accepted, err := client.Submit(c.Context(), p.generation, body)
	if err != nil {
		return err
	}
	if structured(c) {
		return printDocument(c, accepted)
	}
	fmt.Fprintf(c.OutOrStdout(), "The %s of %s is accepted (task %s).\n", accepted.Action, accepted.StoreID, accepted.TaskID)
	return nil
}

// printComparisons prints what differs: + is created, ~ is changed.
func printComparisons(c *cobra.Command, all []comparison) error {
	out, style := c.OutOrStdout(), view.StyleOf(os.Stdout)
	created, changed := 0, 0
	for _, p := range all {
		switch {
		case structured(c):
			if err := printDocument(c, p); err != nil {
				return err
			}
		case p.Action == "create":
			created++
			fmt.Fprintf(out, "%s %s  %s, %s\n", style.Paint(view.Good, "+"), p.StoreID, view.Clean(p.wanted.Engine), view.Clean(p.wanted.Host))
		case p.differs():
			changed++
			fmt.Fprintf(out, "%s %s\n", style.Paint(view.Busy, "~"), p.StoreID)
			printFields(out, "    ", p.Changes)
		case p.failed != "":
			fmt.Fprintf(out, "  %s is %s, and differs in nothing; try it again with: orchestrator retry %s\n", p.StoreID, p.failed, p.StoreID)
		}
	}
	if !structured(c) {
		fmt.Fprintf(out, "%d of %d stores differ: %d to create, %d to change.\n", created+changed, len(all), created, changed)
	}
	return nil
}

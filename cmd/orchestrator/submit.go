package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	api "orchestrator/ingest/client"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

func submitCommand() *cobra.Command {
	r := &provision.Request{Action: provision.OpProvision, Engine: engine.Names()[0]}
	submitted := slices.Clone(fixed)
	submitted[0].usage += ": " + strings.Join(engine.Names(), ", ")
	c := &cobra.Command{
		Use:   "submit ID",
		Short: "Create or change a store",
		Long: `submit requests that a store exists as described. It returns once the request is recorded; with --watch it waits until the
store is READY or FAILED.

Every field except the id has a default, most of them derived from the id. Where the store exists, submit starts from its
record and prints what changes; engine, name and namespace cannot change while the store exists. With --replace all fields
without a flag take their defaults, as for a new store.

If an equal request is still in progress, submit joins it. After it has ended, an equal request is a new run: it repairs what is
wrong, changes nothing else, and the backend receives a callback again.

Exit code: 0 once the request is accepted; with --watch 0 for READY, 1 for FAILED.`,
		Example: `  orchestrator submit my-shop --watch
  orchestrator submit my-shop --engine ` + otherEngine() + ` --host shop.example.com --store-url https://shop.example.com
  orchestrator submit my-shop --title "Käse & Brot" --currency EUR --country DE --locale de_DE --sample-product
  orchestrator submit --file request.json
  echo '{"store_id":"my-shop","action":"delete"}' | orchestrator submit --file -`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return submit(c, args, *r) },
	}
	addRequestFlags(c, r, slices.Concat(submitted, changeable))
	f := c.Flags()
	f.StringP("file", "f", "", "send this JSON file as the request, - for standard input; excludes the id and the flags of fields")
	f.Bool("replace", false, "do not start from the store's record: fields without a flag take their defaults")
	f.BoolP("watch", "w", false, "print the steps and wait for READY or FAILED")
	outputFlag(c)
	return c
}

func submit(c *cobra.Command, args []string, r provision.Request) error {
	body, err := requestBody(c, args, r)
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	if replace, _ := c.Flags().GetBool("replace"); !replace && len(args) > 0 {
		s, err := client.Store(c.Context(), args[0])
		if err == nil && exists(s) {
			return submitChanges(c, client, s, r)
		}
		if err != nil && !api.IsNotFound(err) {
			return err
		}
	}
	accepted, err := client.Submit(c.Context(), 0, body)
	if err != nil {
		return err
	}
	return reportAccepted(c, client, accepted)
}

// requestBody returns the file unchanged, or a request built from the flags.
func requestBody(c *cobra.Command, args []string, r provision.Request) (json.RawMessage, error) {
	file, _ := c.Flags().GetString("file")
	if file == "" {
		if len(args) == 0 {
			return nil, usageError{errors.New("submit takes a store id, or --file")}
		}
		r.StoreID = args[0]
		return json.Marshal(withDefaults(r))
	}
	if len(args) > 0 {
		return nil, usageError{errors.New("submit takes a store id or --file, not both")}
	}
	if given := givenFlags(c); len(given) > 0 {
		return nil, usageError{fmt.Errorf("--%s cannot be combined with --file: write the field into the file", given[0])}
	}
	if file == "-" {
		return io.ReadAll(c.InOrStdin())
	}
	return os.ReadFile(file)
}

// withDefaults derives missing fields from the store's id. It does not validate the id: ingest does.
func withDefaults(r provision.Request) provision.Request {
	slug := labelFrom(r.StoreID)
	for _, f := range []struct {
		field *string
		value string
	}{
		{&r.Name, slug}, {&r.Namespace, "store-" + slug}, {&r.Host, slug + ".localhost"},
	} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	if r.StoreURL == "" {
		r.StoreURL = "http://" + r.Host
	}
	return r
}

// otherEngine is the engine of examples: the last one, so that it differs from the default if there are several.
func otherEngine() string {
	names := engine.Names()
	return names[len(names)-1]
}

const maxReleaseName = 53 // Helm's limit

var notInLabel = regexp.MustCompile(`[^a-z0-9]+`)

// labelFrom derives a DNS label from an id. Different ids give different labels: where characters are lost, a part of the
// id's hash is appended.
func labelFrom(id string) string {
	slug := strings.Trim(notInLabel.ReplaceAllString(strings.ToLower(id), "-"), "-")
	if slug == id && len(slug) <= maxReleaseName {
		return slug
	}
	sum := sha256.Sum256([]byte(id))
	hash := hex.EncodeToString(sum[:4])
	if most := maxReleaseName - len(hash) - 1; len(slug) > most {
		slug = strings.TrimRight(slug[:most], "-")
	}
	return slug + "-" + hash
}

// reportAccepted prints what was accepted and, with --watch, follows it to its outcome.
func reportAccepted(c *cobra.Command, client *api.Client, a api.Accepted) error {
	watching, _ := c.Flags().GetBool("watch")
	if structured(c) {
		if err := printDocument(c, a); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.OutOrStdout(), "The %s of %s is accepted (task %s).\n", a.Action, a.StoreID, a.TaskID)
	}
	if watching {
		return watchOne(c, client, a.StoreID)
	}
	if !structured(c) {
		fmt.Fprintf(c.OutOrStdout(), "Follow it with: orchestrator watch %s\n", a.StoreID)
	}
	return nil
}

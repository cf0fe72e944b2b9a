package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

const aboutKinds = `  forgotten  the backend answered the store's last outcome with 404 or 410: it does not know the store
  contested  another store was refused because of a host or namespace that this one owns
  retained   the store is deleted, its data was retained
  failed     the store was never READY, and its last request has failed`

func orphansCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "orphans", Short: "List stores that may no longer be wanted, the latest first",
		Long: `orphans lists stores that may no longer be wanted, but that cost money or hold a host. A store is listed under the
first kind that is true of it:

` + aboutKinds + `

Nothing is ever deleted because it is listed here. Delete stores of this list with: orchestrator reclaim`,
		Example: `  orchestrator orphans
  orchestrator orphans --kind retained -o json`,
		Args: usageArgs(cobra.NoArgs), RunE: orphans,
	}
	c.Flags().String("kind", "", "one kind only: "+kindNames())
	outputFlag(c)
	return c
}

func orphans(c *cobra.Command, _ []string) error {
	kinds, err := kindsOf(c)
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	all, err := allOrphans(c.Context(), client, kinds)
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	if structured(c) {
		return printDocument(c, provision.Orphans{Orphans: all})
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "There are no orphans.")
		return nil
	}
	printOrphans(c, all)
	fmt.Fprintln(out, "\nDelete some of them with: orchestrator reclaim ID…")
	return nil
}

func printOrphans(c *cobra.Command, all []provision.Orphan) {
	printLines(c.OutOrStdout(), view.Orphans(all, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
}

// kindsOf returns the kind of the flag --kind, or all.
func kindsOf(c *cobra.Command) ([]provision.OrphanKind, error) {
	text, _ := c.Flags().GetString("kind")
	kind := provision.OrphanKind(text)
	switch {
	case text == "":
		return provision.OrphanKinds, nil
	case !slices.Contains(provision.OrphanKinds, kind):
		return nil, usageError{fmt.Errorf("--kind is %q; it must be one of: %s", text, kindNames())}
	}
	return []provision.OrphanKind{kind}, nil
}

func kindNames() string { return strings.Trim(fmt.Sprint(provision.OrphanKinds), "[]") }

// allOrphans reads all pages of some kinds.
func allOrphans(ctx context.Context, client *api.Client, kinds []provision.OrphanKind) ([]provision.Orphan, error) {
	const limit = 200
	all := []provision.Orphan{}
	for _, kind := range kinds {
		for cursor, first := "", true; first || cursor != ""; first = false {
			page, err := client.Orphans(ctx, kind, cursor, limit)
			if err != nil {
				return nil, err
			}
			all, cursor = append(all, page.Orphans...), page.Next
		}
	}
	return all, nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func findingsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "findings", Short: "List the stores that were changed from outside, or are unwell or outdated",
		Long: `findings lists what the audits have found. Pods are watched all the time; every store is compared with what its
release says once in ORCH_AUDIT_EVERY:

  unwell    pods of the store have not been available for ten minutes
  drifted   objects of the store were changed or deleted from outside; nothing has mended them
  outdated  the store has another edition, of the chart and the installation's values, than a new store would get

A drifted store is put right by: orchestrator retry ID. Outdated ones are upgraded by: orchestrator rollout,
or one by one: orchestrator retry ID --force upgrade.
With ORCH_DRIFT=repair the audits mend what has drifted by themselves.`,
		Example: `  orchestrator findings
  orchestrator findings --kind outdated -o json`,
		Args: usageArgs(cobra.NoArgs), RunE: listFindings,
	}
	c.Flags().String("kind", "", "one kind only: "+findingNames())
	outputFlag(c)
	return c
}

func findingNames() string { return strings.Trim(fmt.Sprint(provision.FindingKinds), "[]") }

func listFindings(c *cobra.Command, _ []string) error {
	text, _ := c.Flags().GetString("kind")
	kinds := provision.FindingKinds
	if text != "" {
		kinds = []provision.FindingKind{provision.FindingKind(text)}
	}
	if !slices.Contains(provision.FindingKinds, kinds[0]) {
		return usageError{fmt.Errorf("--kind is %q; it must be one of: %s", text, findingNames())}
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	found := map[provision.FindingKind][]provision.State{}
	n := 0
	for _, kind := range kinds {
		if found[kind], err = allFindings(c.Context(), client, kind); err != nil {
			return err
		}
		n += len(found[kind])
	}
	switch out := c.OutOrStdout(); {
	case structured(c):
		return printDocument(c, found)
	case n == 0:
		fmt.Fprintln(out, "The audits have found nothing.")
	default:
		printLines(out, view.Findings(kinds, found, outputWidth(), view.StyleOf(os.Stdout)))
	}
	return nil
}

// allFindings reads all pages of one kind.
func allFindings(ctx context.Context, client *api.Client, kind provision.FindingKind) ([]provision.State, error) {
	const limit = 200
	all := []provision.State{}
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, err := client.Fleet().Findings(ctx, kind, cursor, limit)
		if err != nil {
			return nil, err
		}
		all, cursor = append(all, page.Stores...), page.Next
	}
	return all, nil
}

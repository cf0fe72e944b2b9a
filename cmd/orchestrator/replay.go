package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func replayCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "replay ID… | --all", Short: "Send dead letters to the backend again",
		Long: `replay sends dead letters again, each under its original webhook-id, and those of one store in their order. It drops a dead
letter if the store has a newer outcome, since the backend would take the older one for the current state. A callback that
the backend refuses again becomes a dead letter again, with the new reason.

Exit code: 0 if every dead letter was queued or dropped, 1 if one could not be replayed.`,
		Example: `  orchestrator replay 1764000000000.3.my-shop
  orchestrator replay --all`,
		RunE: replay,
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if all, _ := c.Flags().GetBool("all"); all == (len(args) > 0) {
			return usageError{errors.New("replay takes ids from `orchestrator dead-letters`, or --all")}
		}
		return nil
	}
	c.Flags().Bool("all", false, "replay all current dead letters")
	outputFlag(c)
	return c
}

func replay(c *cobra.Command, ids []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	if all, _ := c.Flags().GetBool("all"); all {
		if ids, err = allDeadLetterIDs(c.Context(), client); err != nil {
			return err
		}
		if len(ids) == 0 && !structured(c) {
			fmt.Fprintln(c.OutOrStdout(), "There are no dead letters.")
		}
	}
	return forEach(c, bySequence(ids), itself, func(id string) error { return replayOne(c, client, id) })
}

func replayOne(c *cobra.Command, client *api.Client, id string) error {
	r, err := client.Replay(c.Context(), id)
	switch {
	case err != nil:
		return err
	case structured(c):
		return printDocument(c, r)
	case r.Outcome == provision.ReplayDropped:
		fmt.Fprintf(c.OutOrStdout(), "%s is dropped: its store has a newer outcome.\n", id)
	default:
		fmt.Fprintf(c.OutOrStdout(), "%s is queued to be sent again.\n", id)
	}
	return nil
}

// allDeadLetterIDs reads every page before the first replay, so that a callback that is refused again is not replayed twice.
func allDeadLetterIDs(ctx context.Context, client *api.Client) ([]string, error) {
	const limit = 200
	page, err := client.DeadLetters(ctx, "", limit)
	if err == nil {
		page, err = withRemainingPages(ctx, client, page, limit)
	}
	ids := make([]string, len(page.DeadLetters))
	for i, l := range page.DeadLetters {
		ids[i] = l.ID
	}
	return ids, err
}

// bySequence sorts callbacks in the order in which they were made. Replayed in another order, a later callback of a store
// would make the earlier ones obsolete.
func bySequence(ids []string) []string {
	type number struct{ generation, sequence int64 }
	of := func(id string) (n number) {
		_, _ = fmt.Sscanf(id, "%d.%d.", &n.generation, &n.sequence) // ingest reports malformed ids
		return n
	}
	ids = slices.Clone(ids)
	slices.SortStableFunc(ids, func(a, b string) int {
		x, y := of(a), of(b)
		return cmp.Or(cmp.Compare(x.sequence, y.sequence), cmp.Compare(x.generation, y.generation))
	})
	return ids
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/api"
	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/provision"
)

func deadCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "dead", Short: "List callbacks that the backend refused, the latest first",
		Long: `dead lists the dead letters: callbacks that the backend refused for good, and what it answered. They are not sent again by
themselves. Mend what REASON tells of, then send them with: orchestrator replay`,
		Example: `  orchestrator dead
  orchestrator dead --all -o json`,
		Args: usage(cobra.NoArgs), RunE: dead,
	}
	c.Flags().Int("limit", 50, "letters per page, at most 200")
	c.Flags().String("cursor", "", "where to go on: what the page before said")
	c.Flags().Bool("all", false, "all pages")
	outputFlag(c)
	return c
}

func dead(c *cobra.Command, _ []string) error {
	client, err := client(c)
	if err != nil {
		return err
	}
	limit, _ := c.Flags().GetInt("limit")
	cursor, _ := c.Flags().GetString("cursor")
	page, err := client.DeadLetters(c.Context(), cursor, limit)
	if all, _ := c.Flags().GetBool("all"); all && err == nil {
		page, err = restOf(c.Context(), client, page, limit)
	}
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	if wantsJSON(c) {
		return printJSON(out, page)
	}
	if len(page.DeadLetters) == 0 {
		fmt.Fprintln(out, "There are no dead letters: the backend has refused nothing.")
		return nil
	}
	printLines(out, view.Letters(page.DeadLetters, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
	fmt.Fprintln(out, "\nSend one again with: orchestrator replay ID")
	if page.Next != "" {
		fmt.Fprintf(out, "There are more: orchestrator dead --limit %d --cursor %s\n", limit, page.Next)
	}
	return nil
}

// restOf adds all pages after this one to it.
func restOf(ctx context.Context, client *api.Client, page provision.DeadLetters, limit int) (provision.DeadLetters, error) {
	for page.Next != "" {
		more, err := client.DeadLetters(ctx, page.Next, limit)
		if err != nil {
			return page, err
		}
		page.DeadLetters, page.Next = append(page.DeadLetters, more.DeadLetters...), more.Next
	}
	return page, nil
}

func replayCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "replay ID… | --all", Short: "Send refused callbacks again",
		Long: `replay sends dead letters again, each under its own webhook-id, those of one store in their order. One that a newer truth about
the store has overtaken is not sent: told now, the older truth would stand. What the backend refuses again comes back to the
dead letters with the new reason.`,
		Example: `  orchestrator replay 1764000000000.3.my-shop
  orchestrator replay --all`,
		RunE: replay,
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if all, _ := c.Flags().GetBool("all"); all == (len(args) > 0) {
			return usageError{errors.New("replay takes ids that `orchestrator dead` shows, or --all")}
		}
		return nil
	}
	c.Flags().Bool("all", false, "all dead letters there are now")
	outputFlag(c)
	return c
}

func replay(c *cobra.Command, ids []string) error {
	client, err := client(c)
	if err != nil {
		return err
	}
	if all, _ := c.Flags().GetBool("all"); all {
		if ids, err = allLetters(c.Context(), client); err != nil {
			return err
		}
		if len(ids) == 0 && !wantsJSON(c) {
			fmt.Fprintln(c.OutOrStdout(), "There are no dead letters.")
		}
	}
	failed := false
	for _, id := range inOrder(ids) {
		if err := replayOne(c, client, id); err != nil {
			if c.Context().Err() != nil || api.Passing(err) {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "orchestrator: %s: %v\n", id, err)
			failed = true
		}
	}
	if failed {
		return errFailed
	}
	return nil
}

func replayOne(c *cobra.Command, client *api.Client, id string) error {
	r, err := client.Replay(c.Context(), id)
	switch {
	case err != nil:
		return err
	case wantsJSON(c):
		return printJSON(c.OutOrStdout(), r)
	case r.Outcome == provision.ReplayDropped:
		fmt.Fprintf(c.OutOrStdout(), "%s is not sent: there is a newer truth about its store.\n", id)
	default:
		fmt.Fprintf(c.OutOrStdout(), "%s is sent again.\n", id)
	}
	return nil
}

// allLetters reads every page before anything is sent: what is refused again meanwhile is not sent once more.
func allLetters(ctx context.Context, client *api.Client) ([]string, error) {
	const limit = 200
	page, err := client.DeadLetters(ctx, "", limit)
	if err == nil {
		page, err = restOf(ctx, client, page, limit)
	}
	ids := make([]string, len(page.DeadLetters))
	for i, l := range page.DeadLetters {
		ids[i] = l.ID
	}
	return ids, err
}

// inOrder sorts callbacks as they came to be: a later one of a store that is told first takes the place of the others.
func inOrder(ids []string) []string {
	type number struct{ generation, sequence int64 }
	of := func(id string) (n number) {
		_, _ = fmt.Sscanf(id, "%d.%d.", &n.generation, &n.sequence) // what is no id, ingest says
		return n
	}
	ids = slices.Clone(ids)
	slices.SortStableFunc(ids, func(a, b string) int {
		x, y := of(a), of(b)
		return cmp.Or(cmp.Compare(x.sequence, y.sequence), cmp.Compare(x.generation, y.generation))
	})
	return ids
}

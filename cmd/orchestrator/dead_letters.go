package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func deadLettersCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "dead-letters", Short: "List callbacks that the backend refused, the latest first",
		Long: `dead-letters lists callbacks that the backend refused permanently, with its answer as the reason. They are not retried
automatically. Fix the cause, then send them again with: orchestrator replay`,
		Example: `  orchestrator dead-letters
  orchestrator dead-letters --all -o json`,
		Args: usageArgs(cobra.NoArgs), RunE: deadLetters,
	}
	c.Flags().Int("limit", 50, "dead letters per page, at most 200")
	c.Flags().String("cursor", "", "start of the page, as printed below the previous page")
	c.Flags().Bool("all", false, "list all pages")
	outputFlag(c)
	return c
}

func deadLetters(c *cobra.Command, _ []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	limit, _ := c.Flags().GetInt("limit")
	cursor, _ := c.Flags().GetString("cursor")
	page, err := client.DeadLetters(c.Context(), cursor, limit)
	if all, _ := c.Flags().GetBool("all"); all && err == nil {
		page, err = withRemainingPages(c.Context(), client, page, limit)
	}
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	if structured(c) {
		return printDocument(c, page)
	}
	if len(page.DeadLetters) == 0 {
		fmt.Fprintln(out, "There are no dead letters: the backend has refused no callback.")
		return nil
	}
	printLines(out, view.DeadLetters(page.DeadLetters, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
	fmt.Fprintln(out, "\nSend one again with: orchestrator replay ID")
	if page.Next != "" {
		fmt.Fprintf(out, "Next page: orchestrator dead-letters --limit %d --cursor %s\n", limit, page.Next)
	}
	return nil
}

// withRemainingPages appends all following pages to this one.
func withRemainingPages(ctx context.Context, client *api.Client, page provision.DeadLetters, limit int) (provision.DeadLetters, error) {
	for page.Next != "" {
		more, err := client.DeadLetters(ctx, page.Next, limit)
		if err != nil {
			return page, err
		}
		page.DeadLetters, page.Next = append(page.DeadLetters, more.DeadLetters...), more.Next
	}
	return page, nil
}

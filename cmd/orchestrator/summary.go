package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
)

func summaryCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "summary", Short: "Count the stores, and show which are under way the longest",
		Long: `summary counts the stores by status, by the cause of a failure, by engine and by cluster, and shows those that are under way the longest. Stores that are
deleted are not counted, unless their data is retained. Look closer with: orchestrator list --status …`,
		Example: "  orchestrator summary\n  orchestrator summary -o json",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := newClient(c)
			if err != nil {
				return err
			}
			found, err := client.Fleet().Summary(c.Context())
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return printJSON(c.OutOrStdout(), found)
			}
			printLines(c.OutOrStdout(), view.Summary(found, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
			return nil
		},
	}
	outputFlag(c)
	return c
}

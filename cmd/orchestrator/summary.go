package main

import (
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func summaryCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "summary", Short: "Count the stores, and show which are under way the longest",
		Long: `summary counts the stores by status, by the cause of a failure, by engine and by cluster, and shows those that are under way the longest. Stores that are
deleted are not counted, unless their data is retained. Look closer with: orchestrator list --status …`,
		Example: "  orchestrator summary\n  orchestrator summary -o json",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return printAnswer(c, func(client *api.Client) (provision.Summary, error) { return client.Fleet().Summary(c.Context()) },
				func(s provision.Summary, style view.Style) []string {
					return view.Summary(s, time.Now(), outputWidth(), style)
				})
		},
	}
	outputFlag(c)
	return c
}

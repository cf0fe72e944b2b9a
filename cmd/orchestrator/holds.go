package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func holdsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "holds", Short: "List which stores wait since others have failed for one cause, and let them go on",
		Long: `holds lists which stores wait. When the stores of several creators have failed within ten minutes, on one cluster and with one
engine, for one cause that is the installation's (its values, a chart, an admission rule, a registry, an image), the other
provisions of that engine and cluster wait instead of failing. Deletes never wait, and no deadline runs meanwhile.

One waiting store a minute is tried all the same. Its success lets all go on: mend the cause, and wait, or release them.`,
		Example: `  orchestrator holds
  orchestrator holds release default woocommerce`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return printHolds(c, func(client *api.Client) (provision.Holds, error) { return client.Fleet().Holds(c.Context()) })
		},
	}
	outputFlag(c)
	release := &cobra.Command{
		Use: "release CLUSTER ENGINE", Short: "Let the stores of an engine on a cluster go on, once the cause is mended",
		Long:    `release lets the stores go on within seconds, and forgets what has failed before. If the cause is still there, a few more stores fail until the others wait again.`,
		Example: "  orchestrator holds release default woocommerce",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{fmt.Errorf("%s takes the name of a cluster and of an engine, as `orchestrator holds` shows them", c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return printHolds(c, func(client *api.Client) (provision.Holds, error) {
				return client.Fleet().ReleaseHold(c.Context(), args[0], args[1])
			})
		},
	}
	outputFlag(release)
	c.AddCommand(release)
	return c
}

func printHolds(c *cobra.Command, call func(*api.Client) (provision.Holds, error)) error {
	return printAnswer(c, call, func(all provision.Holds, style view.Style) []string {
		if len(all.Holds) == 0 {
			return []string{"No stores wait."}
		}
		return view.Holds(all.Holds, time.Now(), outputWidth(), style)
	})
}

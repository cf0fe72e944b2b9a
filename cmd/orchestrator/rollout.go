package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func rolloutCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rollout", Short: "Upgrade the stores of an engine in waves, and show how far that is",
		Long: `rollout shows the newest rollout. A rollout brings the stores of an engine to the edition that new stores get: the chart and the
installation's values of the workers. Without one, a store keeps the edition that it has.

Each store is upgraded and checked as a shopper would. One that fails is taken back to the edition that it had, where its data
permits that. The rollout pauses when too many stores have failed, or when one that it has upgraded is unwell later. Requests of
customers come first, and the backend is told nothing.`,
		Example: `  orchestrator rollout start woocommerce --canary my-shop --soak 1h
  orchestrator rollout
  orchestrator rollout abort`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return printRollout(c, func(f api.Fleet) (provision.Rollout, error) { return f.Rollout(c.Context()) })
		},
	}
	outputFlag(c)
	c.AddCommand(startRolloutCommand(),
		changeRolloutCommand(provision.RolloutPause, "Begin no further upgrade until the rollout is resumed"),
		changeRolloutCommand(provision.RolloutResume, "Go on; the stores that have failed so far do not pause it again"),
		changeRolloutCommand(provision.RolloutAbort, "End the rollout; stores that are upgraded stay so"))
	return c
}

func startRolloutCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "start ENGINE", Short: "Begin a rollout",
		Long: `start begins a rollout of an engine. Waves are up to how many stores it goes before it waits: numbers, or percentages of all. After
the last one come all others.

An edition that raises the version of the shops' data cannot be taken back. Each store is backed up first then, unless --without-backup
says otherwise; where workers make no backups the rollout pauses.`,
		Example: `  orchestrator rollout start woocommerce
  orchestrator rollout start medusa --waves 1,10%,50% --parallel 20 --max-failures 0`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("%s takes exactly one engine", c.CommandPath())}
			}
			return nil
		},
		RunE: startRollout,
	}
	c.Flags().StringSlice("waves", nil, "up to how many stores each wave goes (default 1,1%,10%,50%)")
	c.Flags().StringSlice("canary", nil, "ids of stores that come first")
	c.Flags().Int("parallel", 0, "stores that are upgraded at a time (default 10)")
	c.Flags().Int("max-failures", 0, "stores that may fail before it pauses (default 3)")
	c.Flags().Duration("soak", 0, "time between a wave and the next (default 30m)")
	c.Flags().Bool("without-backup", false, "make no backup before an edition raises the version of a shop's data")
	outputFlag(c)
	return c
}

func startRollout(c *cobra.Command, args []string) error {
	plan := map[string]any{"engine": args[0]}
	flags := c.Flags()
	for flag, field := range map[string]string{"waves": "waves", "canary": "canaries"} {
		if words, _ := flags.GetStringSlice(flag); flags.Changed(flag) {
			plan[field] = words
		}
	}
	for flag, field := range map[string]string{"parallel": "parallel", "max-failures": "max_failures"} {
		if n, _ := flags.GetInt(flag); flags.Changed(flag) {
			plan[field] = n
		}
	}
	if soak, _ := flags.GetDuration("soak"); flags.Changed("soak") {
		plan["soak_seconds"] = int(soak / time.Second)
	}
	if without, _ := flags.GetBool("without-backup"); without {
		plan["without_backup"] = true
	}
	return printRollout(c, func(f api.Fleet) (provision.Rollout, error) { return f.StartRollout(c.Context(), plan) })
}

func changeRolloutCommand(change provision.RolloutChange, short string) *cobra.Command {
	c := &cobra.Command{
		Use: string(change), Short: short, Example: "  orchestrator rollout " + string(change), Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return printRollout(c, func(f api.Fleet) (provision.Rollout, error) { return f.ChangeRollout(c.Context(), change) })
		},
	}
	outputFlag(c)
	return c
}

func printRollout(c *cobra.Command, call func(api.Fleet) (provision.Rollout, error)) error {
	return printAnswer(c, func(client *api.Client) (provision.Rollout, error) { return call(client.Fleet()) },
		func(o provision.Rollout, style view.Style) []string {
			return view.Rollout(o, time.Now(), outputWidth(), style)
		})
}

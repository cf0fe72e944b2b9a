package main

import (
	"github.com/spf13/cobra"

	api "orchestrator/ingest/client"
)

func suspendCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "suspend ID", Short: "Stop a shop and keep everything of it",
		Long: `suspend stops all pods of a shop. Its address, volumes and credentials stay, and shoppers get the error page of the ingress. The backend
is told SUSPENDED. Requests that change the store leave it suspended, until it is resumed or deleted.

Exit code: 0 once the request is accepted; with --watch 0 for SUSPENDED, 1 for FAILED.`,
		Example: `  orchestrator suspend my-shop --reason "unpaid since March"`,
		Args:    oneStoreID,
		RunE: func(c *cobra.Command, args []string) error {
			reason, _ := c.Flags().GetString("reason")
			client, err := newClient(c)
			if err != nil {
				return err
			}
			return changeStore(c, client, args[0], api.Suspend, map[string]string{"reason": reason})
		},
	}
	c.Flags().String("reason", "", "why; it is shown with the store")
	c.Flags().BoolP("watch", "w", false, "print the steps and wait for SUSPENDED or FAILED")
	outputFlag(c)
	return c
}

func resumeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "resume ID", Short: "Start a shop again that was suspended",
		Long: `resume starts the pods of a shop that was suspended, with the data and the password that it had. The backend is told READY. What was due
meanwhile is done then: WooCommerce sends the mails and renews the subscriptions that are overdue.

Exit code: 0 once the request is accepted; with --watch 0 for READY, 1 for FAILED.`,
		Example: "  orchestrator resume my-shop --watch",
		Args:    oneStoreID,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := newClient(c)
			if err != nil {
				return err
			}
			return changeStore(c, client, args[0], api.Resume, nil)
		},
	}
	c.Flags().BoolP("watch", "w", false, "print the steps and wait for READY or FAILED")
	outputFlag(c)
	return c
}

// changeStore sends a request that changes one store and reports what was accepted.
func changeStore(c *cobra.Command, client *api.Client, id string, verb api.Verb, options any) error {
	var accepted api.Accepted
	if err := client.Change(c.Context(), id, 0, verb, options, &accepted); err != nil {
		return err
	}
	return reportAccepted(c, client, accepted)
}

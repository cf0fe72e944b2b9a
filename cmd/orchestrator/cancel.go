package main

import (
	"fmt"

	"github.com/spf13/cobra"

	api "orchestrator/ingest/client"
)

func cancelCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "cancel ID…", Short: "Give up requests that have not begun, or only wait",
		Long: `cancel gives up the newest request of a store that has not begun, or that waits for its next try, a slot or an earlier delete. The
request is FAILED or DELETE_FAILED with code cancelled, and the backend is told. Nothing is deleted, and what is in the
cluster stays as it is. A request that a worker is at is not broken off.

Exit code: 0 if every request was cancelled, 1 if one was not.`,
		Example: "  orchestrator cancel my-shop",
		RunE:    cancel,
	}
	c.Args = func(_ *cobra.Command, ids []string) error {
		if len(ids) == 0 {
			return usageError{fmt.Errorf("cancel takes store ids")}
		}
		return nil
	}
	outputFlag(c)
	return c
}

func cancel(c *cobra.Command, ids []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	return forEach(c, ids, itself, func(id string) error {
		var cancelled api.Cancelled
		if err := client.Change(c.Context(), id, 0, api.Cancel, nil, &cancelled); err != nil {
			return err
		}
		if structured(c) {
			return printDocument(c, cancelled)
		}
		fmt.Fprintf(c.OutOrStdout(), "The %s of %s is cancelled: it is %s. Nothing was deleted.\n", cancelled.Action, id, cancelled.Status)
		return nil
	})
}

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	api "orchestrator/ingest/client"
)

func rotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rotate ID…", Short: "Give stores other passwords and other REST keys",
		Long: `rotate has a running shop take another password for its administrator, and other REST keys where it has them, without a restart. The backend is
told READY with the new password; until then the old one is right. Sessions of the administrator end, and what was built on the
old keys is refused. A store that is suspended is left alone: resume it first.

A run that ends in between is gone on with by the next one, so after FAILED: orchestrator retry ID.

Exit code: 0 if every rotation was accepted, 1 if one was not; with --watch 1 if the store fails.`,
		Example: "  orchestrator rotate my-shop --watch",
		RunE: func(c *cobra.Command, ids []string) error {
			client, err := newClient(c)
			if err != nil {
				return err
			}
			return forEach(c, ids, itself, func(id string) error { return changeStore(c, client, id, api.Rotate, nil) })
		},
	}
	c.Args = func(c *cobra.Command, ids []string) error {
		watch, _ := c.Flags().GetBool("watch")
		switch {
		case len(ids) == 0:
			return usageError{errors.New("which store? Its id is in: orchestrator list")}
		case watch && len(ids) > 1:
			return usageError{fmt.Errorf("--watch follows one store, not %d; follow more with: orchestrator watch", len(ids))}
		}
		return nil
	}
	c.Flags().BoolP("watch", "w", false, "print the steps of one store and wait for READY or FAILED")
	outputFlag(c)
	return c
}

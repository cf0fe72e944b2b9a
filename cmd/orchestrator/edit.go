package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func editCommand() *cobra.Command {
	r := &provision.Request{Action: provision.OpProvision}
	c := &cobra.Command{
		Use: "edit ID", Short: "Change some settings of a store, and keep the others",
		Long: `edit changes what its flags name and keeps everything else as the store's record has it. It prints what changes. If the store gets
another request meanwhile, nothing is changed, and edit says so.

Exit code: 0 once the request is accepted; with --watch 0 for READY, 1 for FAILED.`,
		Example: `  orchestrator edit my-shop --title "Käse & Brot" --watch
  orchestrator edit my-shop --host shop.example.com`,
		Args: func(c *cobra.Command, args []string) error {
			if err := oneStoreID(c, args); err != nil {
				return err
			}
			if len(givenFlags(c)) == 0 {
				return usageError{errors.New("edit needs a flag that says what changes; repeat the store as it is with: orchestrator retry")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			client, err := newClient(c)
			if err != nil {
				return err
			}
			s, err := client.Store(c.Context(), args[0])
			if err != nil {
				return err
			}
			if !exists(s) {
				return fmt.Errorf("store %s is %s; create it with: orchestrator submit %s", s.StoreID, s.Status, s.StoreID)
			}
			return submitChanges(c, client, s, *r)
		},
	}
	addRequestFlags(c, r, changeable)
	c.Flags().BoolP("watch", "w", false, "print the steps and wait for READY or FAILED")
	outputFlag(c)
	return c
}

// exists reports whether a request would change a store, and not make one.
func exists(s provision.State) bool {
	return s.Request != nil && (s.Status != provision.StatusDeleted || s.RetainData)
}

// submitChanges requests the store as its record has it, with the fields whose flags are given, unless it gets another request meanwhile.
func submitChanges(c *cobra.Command, client *api.Client, s provision.State, given provision.Request) error {
	changed, changes := overlay(c, *s.Request, given)
	if !structured(c) {
		printChanges(c.OutOrStdout(), s.StoreID, changes)
	}
	body, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	accepted, err := client.Submit(c.Context(), s.Generation, body)
	if err != nil {
		return err
	}
	return reportAccepted(c, client, accepted)
}

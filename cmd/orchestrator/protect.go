package main

import (
	"fmt"

	"github.com/spf13/cobra"

	api "orchestrator/ingest/client"
)

func protectCommand() *cobra.Command {
	return protection(api.Protect, "Refuse every delete of a store",
		`protect has every delete of a store refused, by the backend and by operators, until it is lifted with unprotect. It holds for retained data too.`,
		"%s is protected: deletes of it are refused.\n")
}

func unprotectCommand() *cobra.Command {
	return protection(api.Unprotect, "Accept deletes of a store again", "unprotect lifts what protect has done. It deletes nothing.",
		"%s is not protected: deletes of it are accepted.\n")
}

func protection(verb api.Verb, short, long, say string) *cobra.Command {
	c := &cobra.Command{
		Use: string(verb) + " ID", Short: short, Long: long, Example: "  orchestrator " + string(verb) + " my-shop",
		Args: oneStoreID,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := newClient(c)
			if err != nil {
				return err
			}
			var answer api.Protected
			if err := client.Change(c.Context(), args[0], 0, verb, nil, &answer); err != nil {
				return err
			}
			if structured(c) {
				return printDocument(c, answer)
			}
			fmt.Fprintf(c.OutOrStdout(), say, answer.StoreID)
			return nil
		},
	}
	outputFlag(c)
	return c
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	api "orchestrator/ingest/client"
)

// forEach does something with each of many, and says on standard error of which it failed. It stops where the service is away: the rest would fail alike.
func forEach[T any](c *cobra.Command, all []T, name func(T) string, do func(T) error) error {
	failed := false
	for _, one := range all {
		err := do(one)
		switch {
		case err == nil:
		case c.Context().Err() != nil || api.IsTemporary(err):
			return err
		default:
			fmt.Fprintf(c.ErrOrStderr(), "orchestrator: %s: %v\n", name(one), advised(err))
			failed = true
		}
	}
	if failed {
		return errFailed
	}
	return nil
}

// itself is the name of what is an id.
func itself(id string) string { return id }

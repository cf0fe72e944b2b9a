package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/provision"
)

// completeTimeout is how long a shell waits for ids.
const completeTimeout = 2 * time.Second

// takesStores are the commands whose arguments are ids of stores, and whether they take several.
var takesStores = map[string]bool{
	"backup": false, "backups": false, "cancel": true, "delete": false, "edit": false, "protect": false, "restore": false, "resume": false, "retry": true, "rotate": true, "show": false, "suspend": false, "unprotect": false, "watch": false,
}

// completeStores has a shell complete the ids of stores: orchestrator show sho⇥. Where the service does not answer, there is nothing to choose from.
func completeStores(root *cobra.Command) {
	for _, c := range root.Commands() {
		if several, takes := takesStores[c.Name()]; takes {
			c.ValidArgsFunction = func(c *cobra.Command, args []string, beginning string) ([]string, cobra.ShellCompDirective) {
				if len(args) > 0 && !several {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return storeIDs(c, args, beginning), cobra.ShellCompDirectiveNoFileComp
			}
		}
	}
}

// completing is for the calls of a completion: a shell waits for them.
func completing(c *cobra.Command) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Context(), completeTimeout)
}

// storeIDs are up to 50 ids that begin so, without those that were given already.
func storeIDs(c *cobra.Command, given []string, beginning string) []string {
	client, err := newClient(c)
	if err != nil {
		return nil
	}
	ctx, cancel := completing(c)
	defer cancel()
	page, err := client.Stores(ctx, provision.StoreFilter{Query: beginning}, "", 50)
	if err != nil {
		return nil
	}
	var ids []string
	for _, s := range page.Stores {
		if strings.HasPrefix(s.StoreID, beginning) && !slices.Contains(given, s.StoreID) {
			ids = append(ids, s.StoreID)
		}
	}
	return ids
}

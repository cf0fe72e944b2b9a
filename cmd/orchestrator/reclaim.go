package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

// youngestReclaim is how long a store has to be an orphan before it is reclaimed, unless a human names both the store and another age: a backend that is
// restored from a backup, or a wrong BACKEND_API_BASE, makes many healthy stores look forgotten.
const youngestReclaim = 24 * time.Hour

func reclaimCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "reclaim ID… | --kind KIND --older-than AGE", Short: "Delete orphans, with all their data",
		Long: `reclaim deletes stores that ` + "`orchestrator orphans`" + ` lists, with all their data: some by id, or all that have been of one kind for
some time. It shows them first and asks. A store that got a newer request meanwhile is left alone.

A store that has been an orphan for less than 24 hours is refused, unless its id is given together with --older-than. Stores
of kind contested are reclaimed by id only: the list says nothing against them.

Exit code: 0 if every delete was accepted, 1 if one was not.`,
		Example: `  orchestrator reclaim my-shop
  orchestrator reclaim --kind retained --older-than 30d`,
		RunE: reclaim,
	}
	c.Args = func(c *cobra.Command, args []string) error {
		kind, _ := c.Flags().GetString("kind")
		switch {
		case (kind == "") == (len(args) == 0):
			return usageError{errors.New("reclaim takes ids from `orchestrator orphans`, or --kind and --older-than")}
		case kind != "" && !c.Flags().Changed("older-than"):
			return usageError{errors.New("--kind needs --older-than, such as 30d")}
		case kind == string(provision.OrphanContested):
			return usageError{errors.New("stores of kind contested are reclaimed by id only: the list says nothing against them")}
		}
		return nil
	}
	c.Flags().String("kind", "", "all stores of this kind: forgotten, retained or failed")
	c.Flags().String("older-than", "24h", "only stores that have been orphans for this long, such as 36h or 30d")
	c.Flags().Bool("yes", false, "do not ask")
	outputFlag(c)
	return c
}

func reclaim(c *cobra.Command, ids []string) error {
	kinds, err := kindsOf(c)
	if err != nil {
		return err
	}
	text, _ := c.Flags().GetString("older-than")
	age, err := parseAge(text)
	if err == nil && len(ids) == 0 && age < youngestReclaim {
		err = errors.New("--older-than with --kind is at least 24h; name the stores to reclaim younger ones")
	}
	if err != nil {
		return usageError{err}
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	all, err := allOrphans(c.Context(), client, kinds)
	if err != nil {
		return err
	}
	chosen, err := chooseOrphans(all, ids, age, time.Now())
	if err != nil || len(chosen) == 0 {
		if err == nil && !structured(c) {
			fmt.Fprintln(c.OutOrStdout(), "There is no such orphan.")
		}
		return err
	}
	if !structured(c) {
		printOrphans(c, chosen)
	}
	if err := confirm(c, len(chosen), question{
		without: "%d stores would be deleted with all their data; add --yes to do it",
		ask:     "Delete these %d stores with all their data?", no: "nothing was deleted",
	}); err != nil {
		return err
	}
	return deleteOrphans(c, client, chosen)
}

// chooseOrphans returns the orphans with these ids, or all where there are none, that have been orphans for an age.
func chooseOrphans(all []provision.Orphan, ids []string, age time.Duration, now time.Time) ([]provision.Orphan, error) {
	chosen, found := []provision.Orphan{}, map[string]bool{}
	var refused error
	for _, o := range all {
		id := o.Store.StoreID
		if len(ids) > 0 && !slices.Contains(ids, id) {
			continue
		}
		found[id] = true
		switch old := now.Sub(o.Since); {
		case old >= age:
			chosen = append(chosen, o)
		case len(ids) > 0:
			refused = errors.Join(refused, fmt.Errorf("store %s has been an orphan for %s only; reclaim it with --older-than 0s if it is no longer wanted", id, view.Duration(old)))
		}
	}
	for _, id := range ids {
		if !found[id] {
			refused = errors.Join(refused, fmt.Errorf("store %s is no orphan; delete it with: orchestrator delete %s", id, id))
		}
	}
	return chosen, refused
}

// deleteOrphans deletes each store while it has the generation that was shown.
func deleteOrphans(c *cobra.Command, client *api.Client, chosen []provision.Orphan) error {
	return forEach(c, chosen, func(o provision.Orphan) string { return o.Store.StoreID }, func(o provision.Orphan) error {
		accepted, err := client.Delete(c.Context(), o.Store.StoreID, o.Store.Generation, api.Deletion{Erase: true})
		if err != nil {
			return err
		}
		if structured(c) {
			return printDocument(c, accepted)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s will be deleted.\n", o.Store.StoreID)
		return nil
	})
}

// parseAge reads a duration, in days too.
func parseAge(text string) (time.Duration, error) {
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < 0 {
		return 0, fmt.Errorf("--older-than is %q; it must be an age such as 36h or 30d", text)
	}
	return age, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func retryCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "retry ID… | --failed | --outdated | --all", Short: "Repeat what the records of stores ask for",
		Long: `retry has the newest request of a store carried out once more, with the store's own settings: it repairs what is wrong, changes
nothing else, and the backend is told as of any other request. A delete that has failed is tried again. What is under way
already is joined, and a run that waits for its next try begins now. A store that is DELETED is left alone.

With --failed it repeats all stores that are FAILED or DELETE_FAILED, with --code only those that failed for this reason; with
--outdated those that have an older edition, which are upgraded (orchestrator rollout does that in waves, and takes back what
fails); with --all every store that is not deleted. It shows how many first and asks, and begins --rate of them a second. A store that gets a newer request meanwhile is left alone.

Exit code: 0 if every retry was accepted, 1 if one was not; with --watch 1 if the store fails again.`,
		Example: `  orchestrator retry my-shop --watch
  orchestrator retry my-shop --force apply
  orchestrator retry --failed --code image --rate 0.5`,
		RunE: retry,
	}
	c.Args = checkRetry
	f := c.Flags()
	f.Bool("failed", false, "all stores whose newest request has failed")
	f.String("code", "", "with --failed: only those with this code, such as image")
	f.Bool("outdated", false, "all stores that have another edition than a new one; they are upgraded")
	f.Bool("all", false, "all stores that are not deleted")
	f.StringSlice("force", nil, "do this again although it was done: "+forceNames())
	f.Float64("rate", 1, "how many stores a second")
	f.Bool("yes", false, "do not ask")
	f.BoolP("watch", "w", false, "print the steps of one store and wait for its outcome")
	outputFlag(c)
	return c
}

func checkRetry(c *cobra.Command, ids []string) error {
	failed, _ := c.Flags().GetBool("failed")
	all, _ := c.Flags().GetBool("all")
	outdated, _ := c.Flags().GetBool("outdated")
	code, _ := c.Flags().GetString("code")
	watch, _ := c.Flags().GetBool("watch")
	rate, _ := c.Flags().GetFloat64("rate")
	force, _ := c.Flags().GetStringSlice("force")
	chosen := 0
	for _, given := range []bool{failed, outdated, all, len(ids) > 0} {
		if given {
			chosen++
		}
	}
	switch {
	case chosen != 1:
		return usageError{errors.New("retry takes ids, or --failed, or --outdated, or --all")}
	case code != "" && !failed:
		return usageError{errors.New("--code needs --failed")}
	case watch && len(ids) != 1:
		return usageError{errors.New("--watch follows one store; follow more with: orchestrator watch")}
	case rate <= 0:
		return usageError{errors.New("--rate must be above 0, such as 0.5 for a store every two seconds")}
	}
	for _, word := range force {
		if !slices.Contains(provision.Forces, provision.Force(word)) {
			return usageError{fmt.Errorf("--force is %q; it must be one of: %s", word, forceNames())}
		}
	}
	return nil
}

func forceNames() string { return strings.Trim(fmt.Sprint(provision.Forces), "[]") }

func retry(c *cobra.Command, ids []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	force, _ := c.Flags().GetStringSlice("force")
	if outdated, _ := c.Flags().GetBool("outdated"); outdated && !slices.Contains(force, string(provision.ForceUpgrade)) {
		force = append(force, string(provision.ForceUpgrade))
	}
	if len(ids) == 1 {
		return changeStore(c, client, ids[0], api.Retry, forced(force))
	}
	chosen := make([]provision.State, len(ids)) // of any generation
	for i, id := range ids {
		chosen[i].StoreID = id
	}
	if len(ids) == 0 {
		if chosen, err = storesToRetry(c, client); err != nil || len(chosen) == 0 {
			return err
		}
	}
	return retryEach(c, client, chosen, force)
}

// forced are the options of a retry.
func forced(force []string) any {
	if len(force) == 0 {
		return nil
	}
	return map[string][]string{"force": force}
}

// storesToRetry are all stores that the flags choose, the oldest request first. A human has agreed to them.
func storesToRetry(c *cobra.Command, client *api.Client) ([]provision.State, error) {
	failed, _ := c.Flags().GetBool("failed")
	outdated, _ := c.Flags().GetBool("outdated")
	code, _ := c.Flags().GetString("code")
	var all []provision.State
	filters := []provision.StoreFilter{{}}
	if failed {
		filters = []provision.StoreFilter{{Status: provision.StatusFailed, Code: provision.Code(code)}, {Status: provision.StatusDeleteFailed, Code: provision.Code(code)}}
	}
	for _, f := range filters {
		some, err := allStores(c.Context(), client, f)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(some, func(s provision.State) bool { return !f.Matches(s) })...) // an older service knows no filters
	}
	chosen := slices.DeleteFunc(all, func(s provision.State) bool {
		return s.Status == provision.StatusDeleted || outdated && !s.Outdated
	})
	oldestFirst(chosen)
	if !structured(c) {
		if len(chosen) == 0 {
			fmt.Fprintln(c.OutOrStdout(), "There is no such store.")
			return nil, nil
		}
		printLines(c.OutOrStdout(), view.List(chosen, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
	}
	if len(chosen) == 0 {
		return nil, nil
	}
	return chosen, confirm(c, len(chosen), question{
		without: "%d stores would be tried again; add --yes to do it", ask: "Try these %d stores again?", no: "nothing was tried again",
	})
}

// oldestFirst puts the oldest request first, from whichever lists the stores come.
func oldestFirst(stores []provision.State) {
	slices.Reverse(stores) // lists begin with the newest: of requests of one moment too
	slices.SortStableFunc(stores, func(a, b provision.State) int { return a.AcceptedAt.Compare(b.AcceptedAt) })
}

func allStores(ctx context.Context, client *api.Client, f provision.StoreFilter) (all []provision.State, err error) {
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, err := client.Stores(ctx, f, cursor, 200)
		if err != nil {
			return nil, err
		}
		all, cursor = append(all, page.Stores...), page.Next
	}
	return all, nil
}

// retryEach repeats each store that still has the generation that was seen, at the rate that the flags give.
func retryEach(c *cobra.Command, client *api.Client, chosen []provision.State, force []string) error {
	rate, _ := c.Flags().GetFloat64("rate")
	pause := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer pause.Stop()
	begun := 0
	return forEach(c, chosen, func(s provision.State) string { return s.StoreID }, func(s provision.State) error {
		if begun++; begun > 1 {
			select {
			case <-c.Context().Done():
				return c.Context().Err()
			case <-pause.C:
			}
		}
		var accepted api.Accepted
		if err := client.Change(c.Context(), s.StoreID, s.Generation, api.Retry, forced(force), &accepted); err != nil {
			return err
		}
		if structured(c) {
			return printDocument(c, accepted)
		}
		fmt.Fprintf(c.OutOrStdout(), "%d of %d: the %s of %s is accepted.\n", begun, len(chosen), accepted.Action, s.StoreID)
		return nil
	})
}

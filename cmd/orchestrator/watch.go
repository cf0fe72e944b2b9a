package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/api"
	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/cmd/orchestrator/internal/watcher"
	"orchestrator/provision"
)

const (
	lookEvery      = 300 * time.Millisecond
	idleEvery      = time.Second // while nothing is under way
	longestAbsence = 20 * time.Second
)

func watchCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "watch [ID]", Short: "Follow the steps of one store to its end, or of all",
		Long: `watch prints each step of a store as it happens and ends with its verdict: exit code 0 for READY and DELETED, 1 for a
failure. Without an id it follows all stores until Ctrl-C, as a table in a terminal.`,
		Example: `  orchestrator watch my-shop
  orchestrator watch my-shop && echo it is up
  orchestrator watch`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := client(c)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return watchOne(c, client, args[0])
			}
			return watchAll(c, client)
		},
	}
	outputFlag(c)
	return c
}

// watchOne prints a store's steps until it has a verdict.
func watchOne(c *cobra.Command, client *api.Client, id string) error {
	f := watcher.One(client, id)
	for {
		stores, events, err := patiently(c.Context(), f)
		if err != nil {
			return err
		}
		if err := printEvents(c, events, false); err != nil {
			return err
		}
		if s := stores[0]; s.Status.Final() {
			if !wantsJSON(c) && s.Status == provision.StatusReady {
				fmt.Fprintln(c.OutOrStdout(), s.StoreURL)
			}
			return verdict(s)
		}
		if err := pause(c.Context()); err != nil {
			return err
		}
	}
}

func verdict(s provision.State) error {
	if s.Status.Succeeded() {
		return nil
	}
	return errFailed
}

// watchAll follows the newest stores until it is interrupted.
func watchAll(c *cobra.Command, client *api.Client) error {
	f, live := watcher.All(client), !wantsJSON(c) && view.IsTerminal(os.Stdout)
	screen := view.NewScreen(c.OutOrStdout(), live)
	for {
		stores, events, err := patiently(c.Context(), f)
		if errors.Is(err, context.Canceled) {
			return nil //nolint:nilerr // Ctrl-C is how this ends
		}
		if err != nil {
			return err
		}
		if live {
			drawStores(screen, stores)
		} else if err := printEvents(c, events, true); err != nil {
			return err
		}
		if err := pause(c.Context()); err != nil {
			return nil //nolint:nilerr // Ctrl-C is how this ends
		}
	}
}

// drawStores fills at most the screen, less what a table needs besides stores.
func drawStores(screen *view.Screen, stores []provision.State) {
	width, height := view.Size(os.Stdout)
	screen.Draw(view.Live(stores, time.Now(), width, height-4, view.StyleOf(os.Stdout)))
}

func printEvents(c *cobra.Command, events []watcher.Event, named bool) error {
	for _, e := range events {
		if wantsJSON(c) {
			if err := printJSON(c.OutOrStdout(), e); err != nil {
				return err
			}
			continue
		}
		printEvent(c.OutOrStdout(), e, named)
	}
	return nil
}

func printEvent(w io.Writer, e watcher.Event, named bool) {
	if named {
		fmt.Fprintln(w, eventLine(e))
		return
	}
	fmt.Fprintln(w, view.Clock(e.At), "", view.Clean(e.Line()))
}

// eventLine names the store in a column that most ids fit.
func eventLine(e watcher.Event) string {
	return fmt.Sprintf("%s  %-16s  %s", view.Clock(e.At), e.StoreID, view.Clean(e.Line()))
}

// patiently looks again while ingest or its Redis is away, up to longestAbsence: a restart ends no watch.
func patiently(ctx context.Context, f *watcher.Follower) ([]provision.State, []watcher.Event, error) {
	for end := time.Now().Add(longestAbsence); ; {
		stores, events, err := f.Look(ctx)
		if err == nil || !api.Passing(err) || time.Now().After(end) {
			return stores, events, err
		}
		if err := pause(ctx); err != nil {
			return nil, nil, err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(lookEvery):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/cmd/orchestrator/internal/watcher"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

const (
	pollInterval      = 300 * time.Millisecond
	idlePollInterval  = time.Second     // while no store is in progress
	quietPollInterval = 5 * time.Second // while nothing happens
	outageLimit       = 20 * time.Second
)

func watchCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "watch [ID]", Short: "Follow the steps of one store to its outcome, or of all stores",
		Long: `watch prints each step of a store as it happens and ends with its outcome. Without an id it follows the 50 latest stores
until Ctrl-C; in a terminal it shows them as a table. An outage of ingest is tolerated for 20 seconds.

Exit code with an id: 0 for READY and DELETED, 1 for FAILED and DELETE_FAILED. Without an id: 0 after Ctrl-C.`,
		Example: `  orchestrator watch my-shop
  orchestrator watch my-shop && echo it is up
  orchestrator watch`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := newClient(c)
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

// watchOne prints a store's steps until the store has an outcome. It reads the store when something has happened to it.
func watchOne(c *cobra.Command, client *api.Client, id string) error {
	f, ctx := watcher.One(client, id), c.Context()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	happened := make(chan struct{}, 1)
	go follow(ctx, client, id, happened)
	for {
		stores, events, err := pollThroughOutage(c.Context(), f)
		if err != nil {
			return err
		}
		if err := printEvents(c, events, false); err != nil {
			return err
		}
		if s := stores[0]; s.Status.Final() {
			if !structured(c) && s.Status == provision.StatusReady {
				fmt.Fprintln(c.OutOrStdout(), s.StoreURL)
			}
			return outcomeError(s)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-happened:
		case <-time.After(quietPollInterval):
		}
	}
}

// follow says that something has happened to a store, as its events do. Where there is no stream of them, as with an ingest behind a proxy that holds answers back, it says so as often as
// one polls.
func follow(ctx context.Context, client *api.Client, id string, happened chan<- struct{}) {
	for last := ""; ctx.Err() == nil; {
		for e, err := range client.Events(ctx, id, last) {
			if err == nil {
				last = e.ID
			}
			tell(happened)
		}
		tell(happened)
		_ = sleep(ctx) // until ctx ends
	}
}

func tell(happened chan<- struct{}) {
	select {
	case happened <- struct{}{}:
	default:
	}
}

func outcomeError(s provision.State) error {
	if s.Status.Succeeded() {
		return nil
	}
	return errFailed
}

// watchAll follows the latest stores until Ctrl-C.
func watchAll(c *cobra.Command, client *api.Client) error {
	f, live := watcher.All(client), !structured(c) && view.IsTerminal(os.Stdout)
	screen := view.NewScreen(c.OutOrStdout(), live)
	for {
		stores, events, err := pollThroughOutage(c.Context(), f)
		if errors.Is(err, context.Canceled) {
			return nil //nolint:nilerr // Ctrl-C is the regular end
		}
		if err != nil {
			return err
		}
		if live {
			drawStores(screen, stores)
		} else if err := printEvents(c, events, true); err != nil {
			return err
		}
		if err := sleep(c.Context()); err != nil {
			return nil //nolint:nilerr // Ctrl-C is the regular end
		}
	}
}

// drawStores draws as many stores as fit on the screen beside the table's other lines.
func drawStores(screen *view.Screen, stores []provision.State) {
	width, height := view.Size(os.Stdout)
	screen.Draw(view.Live(stores, time.Now(), width, height-4, view.StyleOf(os.Stdout)))
}

func printEvents(c *cobra.Command, events []watcher.Event, named bool) error {
	for _, e := range events {
		if structured(c) {
			if err := printDocument(c, e); err != nil {
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

// eventLine is the event with its store's id, in a column that fits most ids.
func eventLine(e watcher.Event) string {
	return fmt.Sprintf("%s  %-16s  %s", view.Clock(e.At), e.StoreID, view.Clean(e.Line()))
}

// pollThroughOutage polls again while ingest or its Redis is unavailable, up to outageLimit, so that a restart does not end
// a watch.
func pollThroughOutage(ctx context.Context, f *watcher.Watcher) ([]provision.State, []watcher.Event, error) {
	for end := time.Now().Add(outageLimit); ; {
		stores, events, err := f.Poll(ctx)
		if err == nil || !api.IsTemporary(err) || time.Now().After(end) {
			return stores, events, err
		}
		if err := sleep(ctx); err != nil {
			return nil, nil, err
		}
	}
}

func sleep(ctx context.Context) error {
	select {
	case <-time.After(pollInterval):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

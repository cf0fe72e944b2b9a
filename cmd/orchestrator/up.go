package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/local"
	"orchestrator/cmd/orchestrator/internal/state"
	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/cmd/orchestrator/internal/watcher"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

func upCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "up", Short: "Run the whole service on this machine, with a demo store",
		Long: `up runs the whole service on this machine: Redis, a Kubernetes cluster, a stand-in backend that prints the callbacks, ingest,
worker and monitor. It provisions a demo store, prints what to open and what to type next, and shows the steps of all stores
as they happen. Ctrl-C stops everything; a second Ctrl-C kills what has not stopped yet.

What is used, the first that applies:

  Redis     REDIS_URL; redis-server or valkey-server 6.2 or later on PATH; one inside this process
  Cluster   none if ORCH_MOCK=1; KUBECONFIG; the devcluster in the folder of this program
  Backend   BACKEND_API_BASE; the stand-in

State, logs and secrets are kept in the folder --state, and the next up continues from there. One service at a time can use a
folder. The addresses are 127.0.0.1:9000 to 9004; ORCH_ADDR, ORCH_WORKER_ADMIN_ADDR, ORCH_MONITOR_ADDR,
ORCH_INGEST_ADMIN_ADDR and ORCH_BACKEND_ADDR change them. All other variables of ingest, worker and monitor (see their
--help) are passed on.

Exit code: 0 after Ctrl-C, 1 if a part could not be started or failed for good.`,
		Example: `  orchestrator up
  orchestrator up --demo=false --ports auto --state /tmp/try
  ORCH_MOCK=1 orchestrator up
  orchestrator up --redis embedded`,
		Args: usageArgs(cobra.NoArgs), RunE: up,
	}
	c.Flags().Bool("demo", true, "provision a store named demo ("+engine.Names()[0]+")")
	serviceFlags(c, "default")
	return c
}

// serviceFlags adds the flags of the commands that run the service.
func serviceFlags(c *cobra.Command, ports string) {
	c.Flags().String("redis", "auto", "Redis to use: auto, system (redis-server on PATH), embedded (inside this process), or a URL")
	c.Flags().String("ports", ports, "default (9000 to 9004), or auto for free ports")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if p, _ := c.Flags().GetString("ports"); p != "default" && p != "auto" {
			return usageError{fmt.Errorf("--ports is %q; it must be default or auto", p)}
		}
		return nil
	}
}

// serviceOptions are the options that up and demo share.
func serviceOptions(c *cobra.Command, dir state.Dir, screen *view.Screen) (local.Options, error) {
	exe, err := os.Executable()
	if err != nil {
		return local.Options{}, fmt.Errorf("find the path of this program: %w", err)
	}
	redis, _ := c.Flags().GetString("redis")
	ports, _ := c.Flags().GetString("ports")
	return local.Options{
		Dir: dir, Bin: filepath.Dir(exe), Redis: redis, AutoPort: ports == "auto", Getenv: os.Getenv,
		Print: func(format string, args ...any) { screen.Print("  "+format, args...) },
		Warn: func(format string, args ...any) {
			screen.Print("%s  %s", view.Clock(time.Now()), fmt.Sprintf(format, args...))
		},
	}, nil
}

func up(c *cobra.Command, _ []string) error {
	dir, err := stateDir(c).Make()
	if err != nil {
		return err
	}
	live := view.IsTerminal(os.Stdout)
	screen := view.NewScreen(c.OutOrStdout(), live)
	options, err := serviceOptions(c, dir, screen)
	if err != nil {
		return err
	}
	screen.Print("Starting; state and logs are in %s", relativePath(string(dir)))
	u := &upView{screen: screen, live: live, hint: newHint(c, dir), wake: make(chan struct{}, 1)}
	options.OnCallback = u.onCallback
	if u.service, err = local.Start(c.Context(), options); err != nil {
		return err
	}
	if demo, _ := c.Flags().GetBool("demo"); demo {
		u.submitDemo(c.Context())
	} else {
		u.guide("The service is running.")
	}
	err = u.run(c.Context())
	u.stop()
	return err
}

// upView shows what happens while the service runs. It belongs to one goroutine, except for onCallback.
type upView struct {
	service *local.Service
	screen  *view.Screen
	live    bool
	hint    hint
	demo    api.Accepted // the guide is printed once it has an outcome
	guided  bool

	mu        sync.Mutex
	callbacks []backend.Callback // not shown yet
	wake      chan struct{}      // callbacks have arrived
}

// onCallback keeps a callback until the steps that led to it are printed.
func (u *upView) onCallback(call backend.Callback) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.callbacks = append(u.callbacks, call)
	select {
	case u.wake <- struct{}{}:
	default: // a wake-up is already pending
	}
}

func (u *upView) takeCallbacks() []backend.Callback {
	u.mu.Lock()
	defer u.mu.Unlock()
	calls := u.callbacks
	u.callbacks = nil
	return calls
}

// run prints what happens until ctx ends or a part of the service fails for good.
func (u *upView) run(ctx context.Context) error {
	f := watcher.All(u.service.API)
	for {
		calls := u.takeCallbacks()
		wait := u.poll(ctx, f)
		for _, call := range calls {
			u.screen.Print("%s", callbackLine(call))
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-u.service.Failed():
			return err
		case <-u.wake:
		case <-time.After(wait):
		}
	}
}

// poll prints what is new and returns how long to wait until the next poll. It does not report that ingest is away: the
// supervisor that restarts ingest does.
func (u *upView) poll(ctx context.Context, f *watcher.Watcher) time.Duration {
	stores, events, err := f.Poll(ctx)
	if err != nil {
		return idlePollInterval
	}
	if u.live {
		drawStores(u.screen, stores)
	} else {
		for _, e := range events {
			u.screen.Print("%s", eventLine(e))
		}
	}
	for _, s := range stores {
		if s.StoreID == demoID && !u.guided && s.Generation >= u.demo.Generation && s.Status.Final() {
			u.guide(demoSentence(s))
		}
	}
	if slices.ContainsFunc(stores, func(s provision.State) bool { return !s.Status.Final() }) {
		return pollInterval
	}
	return idlePollInterval
}

const demoID = "demo"

// submitDemo submits the demo store. A failure is printed and does not stop the service.
func (u *upView) submitDemo(ctx context.Context) {
	body, err := json.Marshal(withDefaults(provision.Request{StoreID: demoID, Engine: engine.Names()[0], Action: provision.OpProvision,
		Settings: provision.Settings{Title: "Demo shop", SampleProduct: true}}))
	for end := time.Now().Add(outageLimit); err == nil; {
		if u.demo, err = u.service.API.Submit(ctx, 0, body); err == nil {
			return
		}
		if api.IsTemporary(err) && time.Now().Before(end) {
			err = sleep(ctx)
		}
	}
	if !errors.Is(err, context.Canceled) {
		u.guide(fmt.Sprintf("The service is running, but the demo store was not accepted: %v", err))
	}
}

func demoSentence(s provision.State) string {
	if s.Status == provision.StatusReady {
		return fmt.Sprintf("The service is running, and the demo store is READY after %s.", view.Duration(view.Elapsed(s, time.Now())))
	}
	return fmt.Sprintf("The service is running, but the demo store is %s: %s", s.Status, s.Error)
}

func (u *upView) guide(sentence string) {
	u.guided = true
	for _, line := range u.hint.guide(sentence, u.service) {
		u.screen.Print("%s", line)
	}
}

// stop stops everything; a second signal kills what has not stopped yet.
func (u *upView) stop() {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
			u.service.KillNow()
		case <-done:
		}
	}()
	defer close(done)
	u.screen.Release()
	u.screen.Print("Stopping ingest, worker, monitor, cluster and Redis. Press Ctrl-C again to kill them.")
	u.service.Stop()
	u.screen.Print("Stopped. The state is kept in %s.", relativePath(string(u.service.Dir)))
}

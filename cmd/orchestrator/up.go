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

	"orchestrator/cmd/orchestrator/internal/api"
	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/local"
	"orchestrator/cmd/orchestrator/internal/state"
	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/cmd/orchestrator/internal/watcher"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

func upCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "up", Short: "Run everything on this machine, with a demo store",
		Long: `up runs the whole service on this machine: Redis, a Kubernetes cluster, a stand-in backend that shows the callbacks, ingest,
worker and monitor. It provisions a demo store, says what to open and what to type next, and shows the steps of all stores
as they happen. Ctrl-C stops everything; a second one kills.

Redis     REDIS_URL, else redis-server or valkey-server 6.2 or later of this machine, else one inside this process
Cluster   none with ORCH_MOCK=1, else KUBECONFIG, else the devcluster beside this program
Backend   BACKEND_API_BASE, else the stand-in

State, logs and secrets are in the folder --state; the next up goes on from there. Ports are 9000 to 9004 on 127.0.0.1, and
are changed by ORCH_ADDR, ORCH_WORKER_ADMIN_ADDR, ORCH_MONITOR_ADDR, ORCH_INGEST_ADMIN_ADDR and ORCH_BACKEND_ADDR. All
other variables of ingest, worker and monitor (see their --help) are passed on.`,
		Example: `  orchestrator up
  orchestrator up --demo=false --ports auto --state /tmp/try
  ORCH_MOCK=1 orchestrator up
  orchestrator up --redis embedded`,
		Args: usage(cobra.NoArgs), RunE: up,
	}
	c.Flags().Bool("demo", true, "provision the store demo ("+engine.Names()[0]+")")
	serviceFlags(c, "default")
	return c
}

// serviceFlags are those of commands that run the service.
func serviceFlags(c *cobra.Command, ports string) {
	c.Flags().String("redis", "auto", "auto, system, embedded or a URL")
	c.Flags().String("ports", ports, "default, or auto for any that are free")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if p, _ := c.Flags().GetString("ports"); p != "default" && p != "auto" {
			return usageError{fmt.Errorf("--ports is %q; it must be default or auto", p)}
		}
		return nil
	}
}

// serviceOptions is what both up and demo want.
func serviceOptions(c *cobra.Command, dir state.Dir, screen *view.Screen) (local.Options, error) {
	exe, err := os.Executable()
	if err != nil {
		return local.Options{}, fmt.Errorf("find this program: %w", err)
	}
	redis, _ := c.Flags().GetString("redis")
	ports, _ := c.Flags().GetString("ports")
	return local.Options{
		Dir: dir, Bin: filepath.Dir(exe), Redis: redis, AutoPort: ports == "auto", Getenv: os.Getenv,
		Say: func(format string, args ...any) { screen.Print("  "+format, args...) },
		Trouble: func(format string, args ...any) {
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
	screen.Print("Starting; state and logs are in %s", shown(string(dir)))
	u := &upView{screen: screen, live: live, hint: hintOf(c, dir), wake: make(chan struct{}, 1)}
	options.Told = u.told
	if u.service, err = local.Start(c.Context(), options); err != nil {
		return err
	}
	if demo, _ := c.Flags().GetBool("demo"); demo {
		u.submitDemo(c.Context())
	} else {
		u.guide("Everything runs.")
	}
	err = u.run(c.Context())
	u.stop()
	return err
}

// upView shows what happens while the service runs. It belongs to one goroutine, except for told.
type upView struct {
	service *local.Service
	screen  *view.Screen
	live    bool
	hint    hint
	demo    api.Accepted // whose verdict is waited for, while the guide is due
	guided  bool

	mu    sync.Mutex
	calls []backend.Callback // not shown yet
	wake  chan struct{}      // there are some
}

// told keeps a callback until the steps that led to it are shown.
func (u *upView) told(call backend.Callback) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, call)
	select {
	case u.wake <- struct{}{}:
	default: // it is awake
	}
}

func (u *upView) takeCalls() []backend.Callback {
	u.mu.Lock()
	defer u.mu.Unlock()
	calls := u.calls
	u.calls = nil
	return calls
}

// run shows everything until it is interrupted or a part of the service is given up.
func (u *upView) run(ctx context.Context) error {
	f := watcher.All(u.service.API)
	for {
		calls := u.takeCalls()
		wait := u.look(ctx, f)
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

// look shows what is new and returns how long to wait until the next look. That ingest is away is said by whoever starts
// it again.
func (u *upView) look(ctx context.Context, f *watcher.Follower) time.Duration {
	stores, events, err := f.Look(ctx)
	if err != nil {
		return idleEvery
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
		return lookEvery
	}
	return idleEvery
}

const demoID = "demo"

// submitDemo asks for the demo store. Trouble with it is said, and does not end the service.
func (u *upView) submitDemo(ctx context.Context) {
	body, err := json.Marshal(withDefaults(provision.Request{StoreID: demoID, Engine: engine.Names()[0], Action: provision.OpProvision,
		Settings: provision.Settings{Title: "Demo shop", SampleProduct: true}}))
	for end := time.Now().Add(longestAbsence); err == nil; {
		if u.demo, err = u.service.API.Submit(ctx, body); err == nil {
			return
		}
		if api.Passing(err) && time.Now().Before(end) {
			err = pause(ctx)
		}
	}
	if !errors.Is(err, context.Canceled) {
		u.guide(fmt.Sprintf("Everything runs, but the demo store was not accepted: %v", err))
	}
}

func demoSentence(s provision.State) string {
	if s.Status == provision.StatusReady {
		return fmt.Sprintf("Everything runs, and the demo store is READY after %s.", view.Duration(view.Elapsed(s, time.Now())))
	}
	return fmt.Sprintf("Everything runs, but the demo store is %s: %s", s.Status, s.Error)
}

func (u *upView) guide(sentence string) {
	u.guided = true
	for _, line := range u.hint.guide(sentence, u.service) {
		u.screen.Print("%s", line)
	}
}

// stop ends everything; a second signal kills.
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
	u.screen.Keep()
	u.screen.Print("Stopping ingest, worker, monitor, cluster and Redis; Ctrl-C again kills them.")
	u.service.Stop()
	u.screen.Print("Stopped. State is kept in %s.", shown(string(u.service.Dir)))
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/local"
	"orchestrator/cmd/orchestrator/internal/selftest"
	"orchestrator/cmd/orchestrator/internal/state"
	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/cmd/orchestrator/internal/watcher"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "demo", Short: "Run a scripted self-test of the service",
		Long: `demo starts the service as up does, on free ports and in a temporary folder, and runs a script:

  1. it creates a store of each engine (` + strings.Join(engine.Names(), ", ") + `) and waits until it is READY, with a password
  2. it sends the same requests again and checks that Helm releases and passwords are unchanged
  3. it deletes the store of ` + otherEngine() + ` and checks that its namespace is gone

It ends with tables of steps, times, callbacks and checks. The temporary folder is removed after success and kept after a
failure; a folder given with --state is always kept. With KUBECONFIG, the stores are deleted from that cluster at the end.
With ORCH_MOCK=1 there is no cluster, and the checks of releases and namespaces are left out.

Exit code: 0 if every check passed, 1 otherwise.`,
		Example: `  orchestrator demo
  ORCH_MOCK=1 orchestrator demo        # without a cluster, in seconds
  orchestrator demo --redis embedded`,
		Args: usageArgs(cobra.NoArgs), RunE: demo,
	}
	c.Flags().Duration("timeout", 10*time.Minute, "fail after this time")
	serviceFlags(c, "auto")
	return c
}

func demo(c *cobra.Command, _ []string) error {
	begin := time.Now()
	dir, temporary, err := demoDir(c)
	if err != nil {
		return err
	}
	limit, _ := c.Flags().GetDuration("timeout")
	ctx, cancel := context.WithTimeoutCause(c.Context(), limit, fmt.Errorf("the demo has not ended after %s", limit))
	defer cancel()
	screen := view.NewScreen(c.OutOrStdout(), false)
	screen.Print("Starting; state and logs are in %s", relativePath(string(dir)))
	err = runDemo(ctx, c, dir, screen)
	interrupted := c.Context().Err()
	if temporary && (err == nil || interrupted != nil) {
		_ = os.RemoveAll(string(dir)) // at worst it stays in the system's temporary folder
	}
	if interrupted != nil {
		return interrupted
	}
	if err != nil {
		screen.Print("\nThe demo has FAILED after %s; logs are in %s.", view.Duration(time.Since(begin)), dir.Path("logs"))
		return err
	}
	screen.Print("\nEvery check passed. The demo took %s.", view.Duration(time.Since(begin)))
	return nil
}

// demoDir returns the folder given with --state, or a new temporary one.
func demoDir(c *cobra.Command) (dir state.Dir, temporary bool, err error) {
	if c.Flags().Changed("state") {
		dir, err = stateDir(c).Make()
		return dir, false, err
	}
	path, err := os.MkdirTemp("", "orchestrator-demo-")
	if err != nil {
		return "", false, fmt.Errorf("create a folder for the demo: %w", err)
	}
	dir, err = state.Dir(path).Make()
	return dir, true, err
}

func runDemo(ctx context.Context, c *cobra.Command, dir state.Dir, screen *view.Screen) error {
	options, err := serviceOptions(c, dir, screen)
	if err != nil {
		return err
	}
	options.StandIn, options.Brief = true, true
	s, err := local.Start(ctx, options)
	if err != nil {
		return err
	}
	defer s.Stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-s.Failed():
			cancel(err)
		case <-ctx.Done():
		}
	}()
	t, err := newSelfTest(s, screen)
	if err != nil {
		return err
	}
	report, err := t.Run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = cause // more exact than the error of the call that it cancelled
	}
	for _, line := range report.Lines(view.StyleOf(os.Stdout)) {
		screen.Print("%s", line)
	}
	if !s.OwnCluster && !s.Mock() {
		err = errors.Join(err, t.CleanUp(context.WithoutCancel(ctx)))
	}
	if err == nil && !report.Passed() {
		return errFailed
	}
	return err
}

func newSelfTest(s *local.Service, screen *view.Screen) (*selftest.Script, error) {
	t := &selftest.Script{
		API: s.API, Callbacks: s.Backend.Callbacks, Stores: demoStores(s), PollInterval: 50 * time.Millisecond,
		OnPart:     func(text string) { screen.Print("\n%s", text) },
		OnCallback: func(call backend.Callback) { screen.Print("%s", callbackLine(call)) },
		OnEvent:    func(e watcher.Event) { screen.Print("%s", eventLine(e)) },
	}
	if s.Mock() {
		screen.Print("\nThere is no cluster: only passwords, steps and callbacks are checked.")
		return t, nil
	}
	cluster, err := kube.Load(s.Kubeconfig)
	t.Cluster = cluster
	return t, err
}

// demoStores returns one request per engine. Their ids are unique where Redis or the cluster may hold other stores too.
func demoStores(s *local.Service) (stores []provision.Request) {
	suffix := ""
	if !s.OwnRedis || (!s.OwnCluster && !s.Mock()) {
		suffix = "-" + strings.ToLower(rand.Text()[:5])
	}
	for _, name := range engine.Names() {
		stores = append(stores, withDefaults(provision.Request{StoreID: "demo-" + name + suffix, Engine: name, Action: provision.OpProvision,
			Settings: provision.Settings{Title: "Demo shop", SampleProduct: true}}))
	}
	return stores
}

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
		Use: "demo", Short: "Prove in one scripted run that the service works",
		Long: `demo runs the service as up does, on free ports and in a folder of its own, and goes through a script:

  1. a store of each engine (` + strings.Join(engine.Names(), ", ") + `) becomes READY, with a password
  2. the same requests again change nothing: the same Helm release, the same password
  3. the store of ` + otherEngine() + ` is deleted, and its namespace is gone

It ends with a table of steps, times and callbacks, and with exit code 0 only if everything held. The folder is removed
then; with --state, or after a failure, it stays. In a cluster that KUBECONFIG names, the stores are deleted at the end.`,
		Example: `  orchestrator demo
  ORCH_MOCK=1 orchestrator demo        without a cluster, in seconds
  orchestrator demo --redis embedded`,
		Args: usage(cobra.NoArgs), RunE: demo,
	}
	c.Flags().Duration("timeout", 10*time.Minute, "give up after this time")
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
	screen.Print("Starting; state and logs are in %s", shown(string(dir)))
	err = runDemo(ctx, c, dir, screen)
	interrupted := c.Context().Err()
	if temporary && (err == nil || interrupted != nil) {
		_ = os.RemoveAll(string(dir)) // at worst it stays in the folder for temporary things
	}
	if interrupted != nil {
		return interrupted
	}
	if err != nil {
		screen.Print("\nThe demo has FAILED after %s; logs are in %s.", view.Duration(time.Since(begin)), dir.Path("logs"))
		return err
	}
	screen.Print("\nEverything held. The demo took %s.", view.Duration(time.Since(begin)))
	return nil
}

// demoDir is the folder that was asked for, or a new one.
func demoDir(c *cobra.Command) (dir state.Dir, temporary bool, err error) {
	if c.Flags().Changed("state") {
		dir, err = stateDir(c).Make()
		return dir, false, err
	}
	path, err := os.MkdirTemp("", "orchestrator-demo-")
	if err != nil {
		return "", false, fmt.Errorf("a folder for the demo: %w", err)
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
	t, err := newTrial(s, screen)
	if err != nil {
		return err
	}
	report, err := t.Run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = cause // a call that was cut off does not know why
	}
	for _, line := range report.Lines(view.StyleOf(os.Stdout)) {
		screen.Print("%s", line)
	}
	if !s.OwnCluster && !s.Mock() {
		err = errors.Join(err, t.CleanUp(context.WithoutCancel(ctx)))
	}
	if err == nil && !report.Held() {
		return errFailed
	}
	return err
}

func newTrial(s *local.Service, screen *view.Screen) (*selftest.Trial, error) {
	t := &selftest.Trial{
		API: s.API, Callbacks: s.Backend.Callbacks, Stores: demoStores(s), Every: 50 * time.Millisecond,
		Heading: func(text string) { screen.Print("\n%s", text) },
		Told:    func(call backend.Callback) { screen.Print("%s", callbackLine(call)) },
		Event:   func(e watcher.Event) { screen.Print("%s", eventLine(e)) },
	}
	if s.Mock() {
		screen.Print("\nThere is no cluster to compare: only passwords, steps and callbacks are checked.")
		return t, nil
	}
	cluster, err := kube.Load(s.Kubeconfig)
	t.Cluster = cluster
	return t, err
}

// demoStores have ids of their own where others may have stores too.
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

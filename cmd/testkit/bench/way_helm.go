package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"orchestrator/charts"
	"orchestrator/cmd/testkit/bench/stores"
	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// helmCallers is how many stores are made at a time: each is a process that renders and waits.
const helmCallers = 8

// helmWay is what a script would do: kubectl makes the namespace with its Secret, `helm upgrade --install --wait` the rest.
type helmWay struct {
	*bench
	programs   map[string]string
	dir        string
	kubeconfig string

	mu   sync.Mutex
	used map[string]usage // the sum of the processes' times, and the most that one of them had in memory
}

// helmPrograms are helm and kubectl: those that make bench has built, else those in PATH.
func (b *bench) helmPrograms() (map[string]string, error) {
	found := map[string]string{}
	for _, name := range []string{"helm", "kubectl"} {
		path := filepath.Join(b.bin, name)
		if _, err := os.Stat(path); err != nil {
			if path, err = exec.LookPath(name); err != nil {
				return nil, fmt.Errorf("%s is neither in %s nor in PATH (make bin/%s builds it)", name, b.bin, name)
			}
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		found[name] = absolute
	}
	return found, nil
}

func (w *helmWay) prepare(ctx context.Context, c *rig.Cluster) (err error) {
	w.kubeconfig, w.used = c.Kubeconfig, map[string]usage{}
	if w.dir, err = os.MkdirTemp("", "bench-helm"); err != nil {
		return err
	}
	for folder, chart := range map[string]string{"chart": stores.Engine, "chart/charts/common": charts.Common} {
		files, err := fs.Sub(charts.FS, "store/"+chart)
		if err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(w.dir, folder), files); err != nil {
			return err
		}
	}
	_, err = w.make(ctx, "warm-", 2)
	return err
}

func (w *helmWay) burst(ctx context.Context, n int) ([]float64, error) { return w.make(ctx, "s-", n) }

func (w *helmWay) make(ctx context.Context, prefix string, n int) ([]float64, error) {
	took := make([]float64, n)
	begun := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(helmCallers)
	for i := range n {
		group.Go(func() error {
			err := w.makeStore(ctx, stores.Request(stores.ID(prefix, i)))
			took[i] = time.Since(begun).Seconds()
			return err
		})
	}
	return took, group.Wait()
}

func (w *helmWay) makeStore(ctx context.Context, r provision.Request) error {
	release, err := engine.All()[r.Engine].Release(provision.Store{Generation: 1, Request: r})
	if err != nil {
		return err
	}
	values, err := json.Marshal(release.Values)
	if err != nil {
		return err
	}
	file := filepath.Join(w.dir, r.StoreID+".json")
	if err := os.WriteFile(file, values, 0o600); err != nil {
		return err
	}
	if err := w.run(ctx, "kubectl", namespaceWithSecret(r, release), "create", "-f", "-"); err != nil {
		return err
	}
	chart := filepath.Join(w.dir, "chart")
	return w.run(ctx, "helm", "", "upgrade", "--install", r.Name, chart, "--namespace", r.Namespace, "--wait", "--timeout", w.patience.String(),
		"--values", filepath.Join(chart, "values-development.yaml"), "--values", file)
}

// namespaceWithSecret is what the chart expects to be there, for kubectl: JSON, one object after the other, without the line of dashes that some kubectl take
// for YAML. The passwords are of no shop that runs.
func namespaceWithSecret(r provision.Request, release provision.Release) string {
	data := map[string]string{}
	for _, c := range release.Credentials {
		data[c.Key] = strings.Repeat("x", c.Length)
	}
	entries, _ := json.Marshal(data) // texts are always encoded
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}
{"apiVersion":"v1","kind":"Secret","metadata":{"name":%q,"namespace":%q},"stringData":%s}
`, r.Namespace, provision.CredentialsSecret, r.Namespace, entries)
}

// run runs a program to its end and adds what it has used.
func (w *helmWay) run(ctx context.Context, name, input string, args ...string) error {
	cmd := exec.CommandContext(ctx, w.programs[name], args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.kubeconfig, "HOME="+w.dir, "HELM_CACHE_HOME="+w.dir, "HELM_CONFIG_HOME="+w.dir, "HELM_DATA_HOME="+w.dir)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil {
		w.add(name, cmd.ProcessState)
	}
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(slices.Concat(args[:min(3, len(args))]), " "), err, text)
	}
	return err
}

func (w *helmWay) add(name string, state *os.ProcessState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.used[name]
	u.cpu += (state.UserTime() + state.SystemTime()).Seconds()
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		u.peak = max(u.peak, float64(r.Maxrss)*kibibyte)
	}
	w.used[name] = u
}

func (w *helmWay) counters(context.Context) (counters, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return counters{processes: maps.Clone(w.used), redisBytes: math.NaN(), redisCommands: math.NaN()}, nil
}

func (w *helmWay) stop() { _ = os.RemoveAll(w.dir) }

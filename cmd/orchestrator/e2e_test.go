//go:build e2e

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program returns the path of the real orchestrator, in one folder with the real ingest, worker and monitor.
func program(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("ORCH_TEST_BIN")
	if bin == "" {
		t.Fatal("ORCH_TEST_BIN is not set: build with `go build -o bin/ ./cmd/...` and set it to the absolute path of bin")
	}
	for _, name := range []string{"orchestrator", "ingest", "worker", "monitor"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Fatalf("%v: build with `go build -o %s ./cmd/...`", err, bin)
		}
	}
	return filepath.Join(bin, "orchestrator")
}

// withoutService returns this process's environment without the variables that name another service.
func withoutService(more ...string) []string {
	var kept []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "ORCH") && name != "REDIS_URL" && name != "BACKEND_API_BASE" && name != "KUBECONFIG" {
			kept = append(kept, kv)
		}
	}
	return append(kept, more...)
}

func TestDemoWithoutACluster(t *testing.T) {
	for _, redis := range []string{"system", "embedded"} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begin := time.Now()
		cmd := exec.CommandContext(ctx, program(t), "demo", "--redis", redis)
		cmd.Env = withoutService("ORCH_MOCK=1", "TMPDIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if took := time.Since(begin); err != nil || took > 10*time.Second || !strings.Contains(string(out), "Every check passed.") {
			t.Errorf("%s: %v after %s\n%s", redis, err, took, out)
		}
	}
}

// running is a running `orchestrator up`.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	path  string
	state string
	lines chan string
	seen  strings.Builder
}

func startUp(t *testing.T, state string, args ...string) *running {
	t.Helper()
	r := &running{t: t, path: program(t), state: state, lines: make(chan string, 1000)}
	r.cmd = exec.Command(r.path, append([]string{"up", "--ports", "auto", "--state", state}, args...)...)
	r.cmd.Env = withoutService("ORCH_MOCK=1")
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = r.cmd.Stdout
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	return r
}

// await reads until a line contains this text.
func (r *running) await(part string) {
	r.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			r.seen.WriteString(line + "\n")
			if strings.Contains(line, part) {
				return
			}
			if !ok {
				r.t.Fatalf("it ended without %q:\n%s", part, r.seen.String())
			}
		case <-limit:
			r.t.Fatalf("no %q:\n%s", part, r.seen.String())
		}
	}
}

func (r *running) command(args ...string) string {
	r.t.Helper()
	cmd := exec.Command(r.path, append(args, "--state", r.state)...)
	cmd.Env = withoutService()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// end sends SIGTERM and expects exit code 0.
func (r *running) end() {
	r.t.Helper()
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	r.await("Stopped.")
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("%v\n%s", err, r.seen.String())
	}
}

func TestUpAndTheCommandsThatItPrints(t *testing.T) {
	for _, redis := range []string{"system", "embedded"} {
		state := t.TempDir()
		r := startUp(t, state, "--redis", redis)
		r.await("the demo store is READY")
		if out := r.command("submit", "my-shop", "--engine", "medusa", "--watch"); !strings.Contains(out, "READY after") {
			t.Error(out)
		}
		r.await("my-shop           callback READY http://my-shop.localhost (password received, signed)")
		if out := r.command("show", "my-shop"); !strings.Contains(out, "The store is up") {
			t.Error(out)
		}
		if out := r.command("delete", "my-shop", "--watch"); !strings.Contains(out, "DELETED after") {
			t.Error(out)
		}
		r.end()

		again := startUp(t, state, "--redis", redis, "--demo=false")
		again.await("Ctrl-C stops everything.")
		if out := again.command("list"); !strings.Contains(out, "demo") || !strings.Contains(out, "DELETED") {
			t.Errorf("%s has lost stores in a restart:\n%s", redis, out)
		}
		again.end()
	}
}

func TestUpRestartsAKilledWorker(t *testing.T) {
	r := startUp(t, t.TempDir())
	r.await("the demo store is READY")
	killWorkerOf(t, r.cmd.Process.Pid)
	r.await("worker died (signal: killed) and is started again")
	if out := r.command("submit", "after", "--watch"); !strings.Contains(out, "READY after") {
		t.Error(out)
	}
	r.end()
}

// killWorkerOf kills the worker among the children of a process.
func killWorkerOf(t *testing.T, parent int) {
	t.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, _ := os.ReadFile(path)
		pid, ppid := 0, 0
		name, rest, ok := strings.Cut(strings.TrimSpace(string(text)), ") ")
		if !ok || !strings.HasSuffix(name, "(worker") {
			continue
		}
		if scan(name, &pid) && scan(rest[2:], &ppid) && ppid == parent {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	t.Fatal("there is no worker")
}

func scan(text string, into *int) bool {
	_, err := fmt.Sscan(text, into)
	return err == nil
}

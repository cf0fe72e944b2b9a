package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be its own children.
func TestMain(m *testing.M) {
	switch os.Getenv("FAKE") {
	case "":
		goleak.VerifyTestMain(m)
	case "serve", "stubborn":
		ends := make(chan os.Signal, 1)
		signal.Notify(ends, syscall.SIGTERM)
		leave()
		for <-ends; os.Getenv("FAKE") == "stubborn"; <-ends {
		}
	case "crash":
		leave()
		fmt.Println("something is wrong")
		os.Exit(3)
	case "parent":
		parent()
	}
}

// leave writes the process id beside the lives before.
func leave() {
	f, err := os.OpenFile(os.Getenv("PIDS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintln(f, os.Getpid())
		f.Close()
	}
}

// parent starts a child and waits to be killed.
func parent() {
	g := NewGroup(func(string, ...any) {})
	exe, _ := os.Executable()
	dir := filepath.Dir(os.Getenv("PIDS"))
	if _, err := g.Start(context.Background(), Spec{Name: "grandchild", Path: exe, Log: filepath.Join(dir, "log"),
		Env: []string{"FAKE=serve", "PIDS=" + os.Getenv("PIDS")}}); err != nil {
		panic(err)
	}
	select {}
}

func fake(t *testing.T, role string) Spec {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	return Spec{Name: role, Path: exe, Log: filepath.Join(dir, "log"), Env: []string{"FAKE=" + role, "PIDS=" + pids, "GORACE=atexit_sleep_ms=0"},
		Ready: func(context.Context) error {
			if text, err := os.ReadFile(pids); err != nil || len(text) == 0 {
				return errors.New("it has not written its process id")
			}
			return nil
		}}
}

func pids(t *testing.T, s Spec) (all []int) {
	t.Helper()
	text, _ := os.ReadFile(strings.TrimPrefix(s.Env[1], "PIDS="))
	for _, line := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pid)
	}
	return all
}

func newGroup() (*Group, func() string) {
	var mu sync.Mutex
	var said []string
	g := NewGroup(func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, fmt.Sprintf(format, args...))
	})
	g.restartAfter = 10 * time.Millisecond
	return g, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(said, "\n")
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: " + what)
		}
	}
}

func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestAChildIsStartedAndStopped(t *testing.T) {
	g, _ := newGroup()
	s := fake(t, "serve")
	c, err := g.Start(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	pid := pids(t, s)[0]
	if !alive(pid) {
		t.Error("it is not there")
	}
	c.Stop()
	c.Stop()
	if alive(pid) {
		t.Error("it is still there")
	}
	select {
	case err := <-g.Failed():
		t.Error(err)
	default:
	}
}

func TestADeadChildIsStartedAgain(t *testing.T) {
	g, said := newGroup()
	s := fake(t, "serve")
	s.Restart = true
	c, err := g.Start(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	_ = syscall.Kill(pids(t, s)[0], syscall.SIGKILL)
	eventually(t, "a second life", func() bool { return len(pids(t, s)) == 2 })
	if !strings.Contains(said(), "serve died (signal: killed) and is started again") {
		t.Error(said())
	}
}

func TestAChildThatKeepsDyingIsGivenUp(t *testing.T) {
	g, said := newGroup()
	s := fake(t, "crash")
	s.Restart, s.Ready = true, nil
	c, err := g.Start(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	select {
	case err := <-g.Failed():
		if !strings.Contains(err.Error(), "crash died 6 times in 1m0s, the last time with exit status 3") || !strings.Contains(err.Error(), "\n    something is wrong") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it is not given up: " + said())
	}
	if n := len(pids(t, s)); n != 6 {
		t.Errorf("%d lives, want the first and 5 more", n)
	}
}

func TestAChildThatMayNotDieEndsAll(t *testing.T) {
	g, _ := newGroup()
	s := fake(t, "serve")
	c, err := g.Start(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	_ = syscall.Kill(pids(t, s)[0], syscall.SIGKILL)
	if err := <-g.Failed(); !strings.Contains(err.Error(), "serve died: signal: killed") {
		t.Error(err)
	}
}

func TestADeathAtTheStartIsSaidWithTheLog(t *testing.T) {
	g, _ := newGroup()
	s := fake(t, "crash")
	s.Ready = func(context.Context) error { return errors.New("no answer") }
	if _, err := g.Start(context.Background(), s); err == nil || err.Error() != "crash died at its start: exit status 3\n    something is wrong" {
		t.Error(err)
	}
	s.Path = "/nowhere"
	if _, err := g.Start(context.Background(), s); err == nil || !strings.Contains(err.Error(), "cannot be started") {
		t.Error(err)
	}
}

func TestAChildThatIsNeverReadyIsEnded(t *testing.T) {
	g, _ := newGroup()
	s := fake(t, "serve")
	s.StartWithin = 200 * time.Millisecond
	s.Ready = func(context.Context) error { return errors.New("no answer") }
	if _, err := g.Start(context.Background(), s); err == nil || !strings.Contains(err.Error(), "serve is not ready after 200ms: no answer") {
		t.Error(err)
	}
	for _, pid := range pids(t, s) {
		if alive(pid) {
			t.Error("it is still there")
		}
	}
}

func TestAStubbornChildIsKilled(t *testing.T) {
	for _, now := range []bool{false, true} {
		g, _ := newGroup()
		s := fake(t, "stubborn")
		s.Grace = 50 * time.Millisecond
		if now {
			s.Grace = time.Hour
		}
		c, err := g.Start(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		if now {
			time.AfterFunc(20*time.Millisecond, g.KillNow)
		}
		c.Stop()
		if alive(pids(t, s)[0]) {
			t.Error("it is still there")
		}
	}
}

func TestTheLogOfTheLifeBeforeIsKept(t *testing.T) {
	g, _ := newGroup()
	s := fake(t, "serve")
	if err := os.WriteFile(s.Log, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := g.Start(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	c.Stop()
	if old, _ := os.ReadFile(s.Log + ".old"); string(old) != "before" {
		t.Errorf("%q", old)
	}
}

func TestChildrenDieWithAKilledParent(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux ends the children of a killed process")
	}
	s := fake(t, "parent")
	cmd := exec.Command(s.Path)
	cmd.Env = s.Env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a grandchild", func() bool { return len(pids(t, s)) == 1 })
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	grandchild := pids(t, s)[0]
	eventually(t, "the grandchild's end", func() bool { return !alive(grandchild) })
}

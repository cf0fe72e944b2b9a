package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets this test program play the child, as the first argument says.
func TestMain(m *testing.M) {
	switch os.Getenv("FAKE") {
	case "serve":
		announceAndBlock()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		announceAndBlock()
	case "broken":
		fmt.Println("first line\nthe port is taken")
		os.Exit(3)
	case "parent":
		playParent()
	default:
		os.Exit(m.Run())
	}
}

func announceAndBlock() {
	if err := os.WriteFile(os.Getenv("READY_FILE"), nil, 0o600); err != nil {
		panic(err)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// playParent supervises a child until it is killed itself.
func playParent() {
	dir := os.Getenv("DIR")
	say := func(string, ...any) {}
	if err := New(say, say).Start(context.Background(), fakeIn(dir, "serve")); err != nil {
		panic(err)
	}
	fmt.Println("started")
	for {
		time.Sleep(time.Hour)
	}
}

const limit = 30 * time.Second // generous: only a broken test waits for it

func fake(t *testing.T, kind string) Process {
	t.Helper()
	return fakeIn(t.TempDir(), kind)
}

func fakeIn(dir, kind string) Process {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	ready := filepath.Join(dir, "ready")
	return Process{
		Name: kind, Path: exe, Env: []string{"FAKE=" + kind, "READY_FILE=" + ready},
		LogFile: filepath.Join(dir, "log"), PidFile: filepath.Join(dir, "pid"),
		Ready: func(context.Context) error { _, err := os.Stat(ready); return err },
		Grace: limit,
	}
}

// heard collects the lines of a supervisor.
func heard(t *testing.T) (*Supervisor, chan string) {
	t.Helper()
	lines := make(chan string, 100)
	say := func(format string, args ...any) { lines <- fmt.Sprintf(format, args...) }
	s := New(say, say)
	s.RestartDelay = time.Millisecond
	return s, lines
}

func awaitLine(t *testing.T, lines <-chan string, part string) {
	t.Helper()
	timeout := time.After(limit)
	for {
		select {
		case line := <-lines:
			if strings.Contains(line, part) {
				return
			}
		case <-timeout:
			t.Fatalf("no line with %q", part)
		}
	}
}

func pidOf(t *testing.T, p Process) int {
	t.Helper()
	data, err := os.ReadFile(p.PidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestStartReturnsWhenReadyAndStopEndsTheProcess(t *testing.T) {
	s, lines := heard(t)
	p := fake(t, "serve")
	if err := s.Start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	awaitLine(t, lines, "serve ready")
	pid := pidOf(t, p)
	s.Stop(p.Name)
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
	if _, err := os.Stat(p.PidFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the pid file is still there: %v", err)
	}
}

func TestDeathWhileStartingIsReportedWithTheLog(t *testing.T) {
	s, _ := heard(t)
	p := fake(t, "broken")
	err := s.Start(t.Context(), p)
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"broken: ", "died while starting", "exit status 3", p.LogFile, "the port is taken"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
	s.Stop(p.Name)
}

func TestDeadProcessIsStartedAgain(t *testing.T) {
	s, lines := heard(t)
	p := fake(t, "serve")
	if err := s.Start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(p.Name)
	before := pidOf(t, p)
	_ = syscall.Kill(before, syscall.SIGKILL)
	awaitLine(t, lines, "serve died (signal: killed)")
	awaitLine(t, lines, "serve ready again")
	if after := pidOf(t, p); after == before {
		t.Errorf("still process %d", after)
	}
}

func TestProcessThatKeepsDyingIsGivenUp(t *testing.T) {
	s, lines := heard(t)
	s.MaxDeaths = 2
	p := fake(t, "serve")
	if err := s.Start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(p.Name)
	_ = syscall.Kill(pidOf(t, p), syscall.SIGKILL)
	awaitLine(t, lines, "serve ready again")
	_ = syscall.Kill(pidOf(t, p), syscall.SIGKILL)
	select {
	case err := <-s.Failed():
		if !strings.Contains(err.Error(), "died 2 times within 1m0s") || !strings.Contains(err.Error(), p.LogFile) {
			t.Errorf("unclear: %v", err)
		}
	case <-time.After(limit):
		t.Fatal("it is not given up")
	}
}

func TestStubbornProcessIsKilledAfterItsGrace(t *testing.T) {
	s, _ := heard(t)
	p := fake(t, "stubborn")
	p.Grace = time.Millisecond
	if err := s.Start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	s.Stop(p.Name) // the test would never end otherwise
}

func TestKillCutsTheGraceShort(t *testing.T) {
	s, _ := heard(t)
	p := fake(t, "stubborn")
	p.Grace = time.Hour
	if err := s.Start(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Stop(p.Name)
}

func TestStartEndsWithItsContext(t *testing.T) {
	s, _ := heard(t)
	p := fake(t, "serve")
	p.Ready = func(context.Context) error { return errors.New("never") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Start(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.Stop(p.Name)
}

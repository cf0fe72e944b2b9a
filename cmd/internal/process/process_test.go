package process

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shell(script string) Spec { return Spec{Name: "shell", Path: "sh", Args: []string{"-c", script}} }

func start(t *testing.T, s Spec) *Process {
	t.Helper()
	p, err := Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestFreePortsAreNotThoseOfConnectionsAndDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 100 {
		port, err := FreePort()
		if err != nil || port >= 32768 || seen[port] {
			t.Fatalf("%d, %v; seen before: %t", port, err, seen[port])
		}
		seen[port] = true
	}
	addr, err := FreeAddr()
	l, listenErr := net.Listen("tcp", addr)
	if err != nil || listenErr != nil {
		t.Fatal(err, listenErr)
	}
	l.Close()
}

func TestStartSendsOutputWhereItBelongs(t *testing.T) {
	const script = "echo out; echo err >&2"
	var output, stdout bytes.Buffer
	s := shell(script)
	s.Output = &output
	<-start(t, s).Done()
	if output.String() != "out\nerr\n" {
		t.Errorf("output %q", output.String())
	}

	s = shell(script)
	s.Log, s.Stdout = filepath.Join(t.TempDir(), "log"), &stdout
	for range 2 {
		<-start(t, s).Done()
	}
	if log, _ := os.ReadFile(s.Log); string(log) != "err\nerr\n" || stdout.String() != "out\nout\n" {
		t.Errorf("log %q, standard output %q", log, stdout.String())
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(Spec{Name: "shell", Path: "/nowhere"}); !errors.Is(err, os.ErrNotExist) || err.Error() != "shell cannot be started: fork/exec /nowhere: no such file or directory" {
		t.Errorf("a missing program: %v", err)
	}
	if _, err := Start(Spec{Name: "shell", Path: "no-such-program"}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("a program that is not in PATH: %v", err)
	}
	s := shell("")
	s.Log = "/nowhere/log"
	if _, err := Start(s); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log that cannot be written: %v", err)
	}
}

func TestStopReportsHowTheProcessEnds(t *testing.T) {
	const ready = "echo ready; while :; do read -r line <&3; done"
	for name, c := range map[string]struct {
		trap  string
		grace time.Duration
		ok    bool
		exit  string
	}{
		"with success": {"trap 'exit 0' TERM", time.Minute, true, "exit status 0"},
		"with failure": {"trap 'exit 3' TERM", time.Minute, false, "exit status 3"},
		"by SIGTERM":   {"trap - TERM", time.Minute, false, "signal: terminated"},
		"by SIGKILL":   {"trap '' TERM", 20 * time.Millisecond, false, "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			s := shell(c.trap + "; exec 3<>" + fifo(t) + "; " + ready)
			s.Stdout = in
			p := start(t, s)
			in.Close() // the child has a copy
			if _, err := out.Read(make([]byte, 1)); err != nil || p.Exited() {
				t.Fatalf("the shell has ended: %v", err)
			}
			if ok := p.Stop(c.grace); ok != c.ok || p.Exit() != c.exit || !p.Exited() {
				t.Errorf("success %t, %s; want %t, %s", ok, p.Exit(), c.ok, c.exit)
			}
			p.Kill() // does nothing
		})
	}
}

// fifo is a pipe that nothing is ever written to.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", path).Run(); err != nil {
		t.Fatal(err)
	}
	return path
}

package redistest

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// Server is a real redis-server that a test can take away and bring back, with all that was written. Its methods belong
// to the test's own goroutine.
type Server struct {
	URL string // the same over restarts

	t      testing.TB
	dir    string
	keep   string // appendonly: yes or no
	output bytes.Buffer
	cmd    *exec.Cmd
	ended  chan struct{}
}

// Durable starts a server that loses nothing when it is killed.
func Durable(t testing.TB) *Server {
	t.Helper()
	return start(t, "yes")
}

func start(t testing.TB, keep string) *Server {
	t.Helper()
	// Not t.TempDir: it carries the test's name, and a socket's path may have about a hundred bytes.
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{t: t, dir: dir, keep: keep}
	s.URL = "unix://" + s.socket()
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start brings a killed server back and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("redis-server is not on PATH: run `apt-get install redis-server`, or the tests by `make test`, which brings one")
	}
	s.cmd = exec.Command(path, "--port", "0", "--unixsocket", s.socket(), "--dir", s.dir,
		"--save", "", "--appendonly", s.keep, "--appendfsync", "always")
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.SysProcAttr = &s.output, &s.output, dieWithParent()
	if err := s.spawn(); err != nil {
		s.t.Fatal(err)
	}
	s.awaitPing()
}

// spawn starts the process from a thread that stays until the process has ended: Linux sends the signal of the parent's
// death when the thread ends that started it.
func (s *Server) spawn() error {
	started := make(chan error)
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		runtime.LockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed: the error says only that
		}
	}(s.cmd, s.ended)
	return <-started
}

func (s *Server) awaitPing() {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for !s.pong() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-s.ended:
			s.t.Fatalf("redis-server ended at its start:\n%s", s.output.String())
		case <-deadline:
			s.Kill()
			s.t.Fatalf("redis-server does not answer:\n%s", s.output.String())
		}
	}
}

// pong asks without a client library: that would log each vain attempt.
func (s *Server) pong() bool {
	conn, err := net.DialTimeout("unix", s.socket(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte("PING\r\n"))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line == "+PONG\r\n"
}

func (s *Server) socket() string { return filepath.Join(s.dir, "s") }

// Kill ends the server as a crash does and returns when it is gone. A second call does nothing.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

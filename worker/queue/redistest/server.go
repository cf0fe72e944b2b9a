package redistest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
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
	s := &Server{t: t, dir: dir, keep: keep, URL: "unix://" + filepath.Join(dir, "s")}
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
	s.cmd = exec.Command(path, "--port", "0", "--unixsocket", filepath.Join(s.dir, "s"), "--dir", s.dir,
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
	opts, err := redis.ParseURL(s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	client := redis.NewClient(opts)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for client.Ping(ctx).Err() != nil {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-s.ended:
			s.t.Fatalf("redis-server ended at its start:\n%s", s.output.String())
		case <-ctx.Done():
			s.Kill()
			s.t.Fatalf("redis-server does not answer:\n%s", s.output.String())
		}
	}
}

// Kill ends the server as a crash does and returns when it is gone. A second call does nothing.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

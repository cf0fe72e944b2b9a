package redistest

import (
	"os"
	"path/filepath"
	"testing"
)

// Server is a real redis-server that a test can take away and bring back, with all that was written. Its methods belong
// to the test's own goroutine.
type Server struct {
	URL string // the same over restarts

	t testing.TB
	instance
}

// Durable starts a server that loses nothing when it is killed.
func Durable(t testing.TB) *Server {
	t.Helper()
	return start(t, "yes")
}

// start is a server on a socket.
func start(t testing.TB, appendOnly string) *Server {
	t.Helper()
	dir := folder(t)
	socket := filepath.Join(dir, "s")
	s := &Server{URL: "unix://" + socket, t: t, instance: instance{network: "unix", addr: socket,
		args: []string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", appendOnly, "--appendfsync", "always"}}}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// folder is not t.TempDir: that carries the test's name, and a socket's path may have about a hundred bytes.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Start brings a killed server back and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server as a crash does and returns when it is gone. A second call does nothing.
func (s *Server) Kill() { s.kill() }

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"orchestrator/cmd/orchestrator/internal/child"
)

// startCluster uses the cluster that the environment names, else it starts the devcluster.
func (s *Service) startCluster(ctx context.Context) error {
	if s.Mock() {
		s.announce("cluster", "none (ORCH_MOCK)", "every step is simulated; the shops cannot be opened")
		return nil
	}
	if s.Kubeconfig = s.Getenv("KUBECONFIG"); s.Kubeconfig != "" {
		s.announce("cluster", s.Kubeconfig+" (KUBECONFIG)", "stores stay in it when this program ends")
		return nil
	}
	return s.startDevcluster(ctx)
}

func (s *Service) startDevcluster(ctx context.Context) (err error) {
	path := s.program("devcluster")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s is missing: build it with `make devcluster`, or set KUBECONFIG to use another cluster, or ORCH_MOCK=1 to use none", path)
	}
	dir, ready := s.Dir.Path("devcluster"), newReadyLine()
	begin := time.Now()
	s.devcluster, err = s.group.Start(ctx, child.Spec{
		Name: "devcluster", Path: path, Args: []string{"up", "--dir", dir, "--quiet"}, Log: s.Dir.Log("devcluster"),
		Stdout: ready, Ready: ready.check, StartWithin: 3 * time.Minute, Grace: 30 * time.Second,
		OrphanSignal: syscall.SIGTERM, // it stops its own child processes in order
	})
	if err != nil {
		return err
	}
	s.Kubeconfig, s.OwnCluster = ready.kubeconfig(), true
	s.announce("cluster", fmt.Sprintf("devcluster, up after %.0f s", time.Since(begin).Seconds()), "a real Kubernetes API with simulated pods; stores survive restarts")
	return nil
}

// readyLine finds the line "ready KUBECONFIG=…" in a child process's output.
type readyLine struct {
	mu   sync.Mutex
	text strings.Builder
}

func newReadyLine() *readyLine { return &readyLine{} }

const readyPrefix = "ready KUBECONFIG="

// Write never fails, so that the child process is never blocked.
func (r *readyLine) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.text.Len() < 64<<10 {
		r.text.Write(p)
	}
	return len(p), nil
}

func (r *readyLine) kubeconfig() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		if path, ok := strings.CutPrefix(line, readyPrefix); ok && strings.HasSuffix(path, "\n") {
			return strings.TrimSpace(path)
		}
	}
	return ""
}

func (r *readyLine) check(context.Context) error {
	if r.kubeconfig() == "" {
		return errors.New("it has not reported that its API server is ready")
	}
	return nil
}

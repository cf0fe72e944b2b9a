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

// startCluster takes the cluster that is given, or runs one of its own.
func (s *Service) startCluster(ctx context.Context) error {
	if s.Mock() {
		s.choice("cluster", "none, as ORCH_MOCK says", "every step is simulated, no shop will answer")
		return nil
	}
	if s.Kubeconfig = s.Getenv("KUBECONFIG"); s.Kubeconfig != "" {
		s.choice("cluster", "the one of "+s.Kubeconfig+", as KUBECONFIG says", "stores stay in it when this ends")
		return nil
	}
	return s.startDevcluster(ctx)
}

func (s *Service) startDevcluster(ctx context.Context) (err error) {
	path := s.program("devcluster")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s is missing: build it with `make devcluster`, set KUBECONFIG to a cluster, or ORCH_MOCK=1 for none", path)
	}
	dir, ready := s.Dir.Path("devcluster"), newReadyLine()
	begin := time.Now()
	s.devcluster, err = s.group.Start(ctx, child.Spec{
		Name: "devcluster", Path: path, Args: []string{"up", "--dir", dir, "--quiet"}, Log: s.Dir.Log("devcluster"),
		Stdout: ready, Ready: ready.check, StartWithin: 3 * time.Minute, Grace: 30 * time.Second,
		OrphanSignal: syscall.SIGTERM, // it ends its own children in order
	})
	if err != nil {
		return err
	}
	s.Kubeconfig, s.OwnCluster = ready.kubeconfig(), true
	s.choice("cluster", fmt.Sprintf("devcluster, up after %.0f s", time.Since(begin).Seconds()), "a real Kubernetes API with simulated pods; stores outlive restarts")
	return nil
}

// readyLine waits in a child's output for the one line "ready KUBECONFIG=…".
type readyLine struct {
	mu   sync.Mutex
	text strings.Builder
}

func newReadyLine() *readyLine { return &readyLine{} }

const readyMark = "ready KUBECONFIG="

// Write never fails, so that the child is never held up.
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
		if path, ok := strings.CutPrefix(line, readyMark); ok && strings.HasSuffix(path, "\n") {
			return strings.TrimSpace(path)
		}
	}
	return ""
}

func (r *readyLine) check(context.Context) error {
	if r.kubeconfig() == "" {
		return errors.New("its API does not answer yet")
	}
	return nil
}

// Package child runs programs as children of this process: it starts them, waits until they are of use, starts those
// again that may die, and ends them in order.
package child

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"time"

	"orchestrator/cmd/internal/process"
)

// Spec describes a child. Name, Path and Log are needed.
type Spec struct {
	Name   string
	Path   string
	Args   []string
	Env    []string  // the whole environment; nil inherits
	Log    string    // the file that gets its output
	Stdout io.Writer // gets the standard output instead, where it is set

	// Ready says what is still missing; nil means that the child is of use. It is asked again until then.
	Ready       func(context.Context) error
	StartWithin time.Duration // 0: a minute
	Grace       time.Duration // from SIGTERM to SIGKILL; 0: 10 s
	Restart     bool          // it is started again when it dies
	// OrphanSignal is what the kernel sends when this process has died; 0: SIGKILL.
	OrphanSignal syscall.Signal
}

func (s Spec) withDefaults() Spec {
	if s.StartWithin == 0 {
		s.StartWithin = time.Minute
	}
	if s.Grace == 0 {
		s.Grace = 10 * time.Second
	}
	return s
}

// launch starts one process of the child.
func (s Spec) launch() (*process.Process, error) {
	return process.Start(process.Spec{Name: s.Name, Path: s.Path, Args: s.Args, Env: s.Env, Log: s.Log, Stdout: s.Stdout, OrphanSignal: s.OrphanSignal})
}

// end asks the process to end, and kills it after the grace period or when now is closed.
func end(p *process.Process, grace time.Duration, now <-chan struct{}) {
	p.Signal(syscall.SIGTERM)
	limit := time.NewTimer(grace)
	defer limit.Stop()
	select {
	case <-p.Done():
		return
	case <-limit.C:
	case <-now:
	}
	p.Kill()
}

// awaitReady returns nil once the child is ready, and an error when it dies before.
func (s Spec) awaitReady(ctx context.Context, p *process.Process) error {
	if s.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.StartWithin, fmt.Errorf("%s is not ready after %s", s.Name, s.StartWithin))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := s.Ready(ctx)
		if missing == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("%s died at its start: %s", s.Name, p.Exit())
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), missing)
		case <-tick.C:
		}
	}
}

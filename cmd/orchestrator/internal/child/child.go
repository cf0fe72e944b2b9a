// Package child runs programs as children of this process: it starts them, waits until they are of use, starts those
// again that may die, and ends them. A child does not outlive this process (on Linux, however this process ends).
package child

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
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
	if s.OrphanSignal == 0 {
		s.OrphanSignal = syscall.SIGKILL
	}
	return s
}

// life is one process of a child.
type life struct {
	process *os.Process
	ended   chan struct{}
	how     string // how it ended, once ended is closed
}

// launch starts a process and reaps it in the background.
func (s Spec) launch() (*life, error) {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: its log: %w", s.Name, err)
	}
	defer log.Close() // the child has its own copy
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = s.Env, log, log, attributes(s.OrphanSignal)
	if s.Stdout != nil {
		cmd.Stdout = s.Stdout
	}
	cmd.WaitDelay = 5 * time.Second // should something else hold on to its output
	l := &life{ended: make(chan struct{})}
	if err := l.start(cmd); err != nil {
		return nil, fmt.Errorf("%s cannot be started: %w", s.Name, err)
	}
	l.process = cmd.Process
	return l, nil
}

// start starts the process on a thread that stays until it has ended: Linux sends the signal of the parent's death when
// the thread ends that started the child.
func (l *life) start(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(l.ended)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		l.how = "exit status 0"
		if err := cmd.Wait(); err != nil {
			l.how = err.Error()
		}
	}()
	return <-started
}

// end asks the process to end, and kills it after the grace or when now is closed.
func (l *life) end(grace time.Duration, now <-chan struct{}) {
	_ = l.process.Signal(syscall.SIGTERM) // it may have ended
	limit := time.NewTimer(grace)
	defer limit.Stop()
	select {
	case <-l.ended:
		return
	case <-limit.C:
	case <-now:
	}
	l.kill()
}

func (l *life) kill() {
	_ = l.process.Kill() // it may have ended
	<-l.ended
}

// awaitReady returns nil once the child is ready, and an error when it dies before.
func (s Spec) awaitReady(ctx context.Context, l *life) error {
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
		case <-l.ended:
			return fmt.Errorf("%s died at its start: %s", s.Name, l.how)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), missing)
		case <-tick.C:
		}
	}
}

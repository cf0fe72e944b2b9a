// Package supervise runs the child processes of a cluster: it starts them, waits until they are of use, writes their
// process ids and logs, starts again those that die, and ends them in order.
package supervise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Process describes one child. Everything but Before and Ready is needed.
type Process struct {
	Name    string   // what it is called in log lines, and argv[0]
	Path    string   // the program
	Args    []string // without argv[0]
	Env     []string // the whole environment; nothing is inherited
	LogFile string   // its output is appended here
	PidFile string   // holds the process id while it runs

	// Before, if any, is called before each start, the first and those after a death.
	Before func()
	// Ready says what is still missing; nil means that the process is of use. It is asked again until then. Without it a
	// process counts as ready once it has been started.
	Ready func(context.Context) error
	// Grace is how long the process may take to end after SIGTERM before it is killed.
	Grace time.Duration
}

// running is one life of a Process.
type running struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the process is reaped
	err  error         // how it ended; read it only after done
}

// launch starts the process and reaps it in the background.
func (p *Process) launch() (*running, error) {
	if p.Before != nil {
		p.Before()
	}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: open its log: %w", p.Name, err)
	}
	defer log.Close() // the child has its own copy

	cmd := exec.Command(p.Path, p.Args...)
	cmd.Args[0] = p.Name
	cmd.Env = p.Env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	if err := start(cmd); err != nil {
		return nil, fmt.Errorf("%s: start %s: %w", p.Name, p.Path, err)
	}
	r := &running{cmd: cmd, done: make(chan struct{})}
	go p.reap(r)
	if err := os.WriteFile(p.PidFile, []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o600); err != nil {
		r.kill()
		return nil, fmt.Errorf("%s: write its process id: %w", p.Name, err)
	}
	return r, nil
}

func (p *Process) reap(r *running) {
	r.err = r.cmd.Wait()
	if r.err == nil {
		r.err = fmt.Errorf("ended by itself with exit code 0")
	}
	close(r.done)
}

// awaitReady returns nil once the process is ready, and an error when it dies first or the context ends.
func (p *Process) awaitReady(ctx context.Context, r *running) error {
	if p.Ready == nil {
		return nil
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := p.Ready(ctx)
		if missing == nil {
			return nil
		}
		select {
		case <-r.done:
			return &diedError{r.err}
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w (%w)", missing, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// diedError says that the process ended before it was ready.
type diedError struct{ cause error }

func (e *diedError) Error() string { return "died while starting: " + e.cause.Error() }
func (e *diedError) Unwrap() error { return e.cause }

func (r *running) kill() {
	_ = r.cmd.Process.Kill()
	<-r.done
}

// end asks the process to end and kills it when it does not within grace.
func (r *running) end(grace time.Duration, now <-chan struct{}) {
	_ = r.cmd.Process.Signal(terminate)
	limit := time.NewTimer(grace)
	defer limit.Stop()
	select {
	case <-r.done:
		return
	case <-limit.C:
	case <-now:
	}
	r.kill()
}

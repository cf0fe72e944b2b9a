// Package process starts programs as children of this process, signals them and waits for them. A child does not outlive
// this process: on Linux the kernel ends it, however this process ends.
package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// outputDelay is how long the output of a child is read after the child has ended, should a descendant of it keep the
// output open.
const outputDelay = 5 * time.Second

// Spec describes a child. Name and Path are required.
type Spec struct {
	Name   string // for messages
	Path   string // looked up in PATH if it has no slash
	Args   []string
	Env    []string  // the whole environment; nil inherits this process's
	Log    string    // a file that the output is appended to
	Output io.Writer // gets the output if there is no log; nil discards it
	Stdout io.Writer // gets the standard output instead, where it is set
	// OrphanSignal is what the kernel sends the child when this process has died; 0: SIGKILL.
	OrphanSignal syscall.Signal
}

// Process is a child that was started. Its methods may be called from any goroutine.
type Process struct {
	Name string

	cmd  *exec.Cmd
	done chan struct{}
	exit string // set before done is closed
}

// Start starts a child. It is reaped in the background.
func Start(s Spec) (*Process, error) {
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = s.Env, s.Output, s.Output, outputDelay
	if s.Log != "" {
		log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open the log of %s: %w", s.Name, err)
		}
		defer log.Close() // the child has a copy
		cmd.Stdout, cmd.Stderr = log, log
	}
	if s.Stdout != nil {
		cmd.Stdout = s.Stdout
	}
	if s.OrphanSignal == 0 {
		s.OrphanSignal = syscall.SIGKILL
	}
	cmd.SysProcAttr = attributes(s.OrphanSignal)
	p := &Process{Name: s.Name, cmd: cmd, done: make(chan struct{})}
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("%s cannot be started: %w", s.Name, err)
	}
	return p, nil
}

// start starts the process on a thread that stays until the process has ended: Linux sends the signal of the parent's death
// when the thread ends that started the child.
func (p *Process) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.exit = "exit status 0"
		if err := p.cmd.Wait(); err != nil {
			p.exit = err.Error()
		}
	}()
	return <-started
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended, such as "exit status 0". Call it once [Process.Done] is closed.
func (p *Process) Exit() string { return p.exit }

// Exited reports whether the process has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal. It does nothing if the process has ended.
func (p *Process) Signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) }

// Kill kills the process and returns when it has ended.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop sends SIGTERM and then does as [Process.Exits].
func (p *Process) Stop(grace time.Duration) bool {
	p.Signal(syscall.SIGTERM)
	return p.Exits(grace)
}

// Exits waits for the process to end. It reports whether that happened in time and with status 0; after that time it kills
// the process.
func (p *Process) Exits(within time.Duration) bool {
	limit := time.NewTimer(within)
	defer limit.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.Success()
	case <-limit.C:
		p.Kill()
		return false
	}
}

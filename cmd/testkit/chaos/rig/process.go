package rig

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Process is one child. It is in a process group of its own, so that a Ctrl-C reaches the parent alone.
type Process struct {
	Name string
	cmd  *exec.Cmd
	done chan struct{}
}

// spec is what to start. The output is appended to the log; stdout, if any, gets the standard output instead.
type spec struct {
	name, path, log string
	args, env       []string
	stdout          io.Writer
}

func (s spec) start() (*Process, error) {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	p := &Process{Name: s.name, cmd: exec.Command(s.path, s.args...), done: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = append(os.Environ(), s.env...), log, log, dieWithParent()
	if s.stdout != nil {
		p.cmd.Stdout = s.stdout
	}
	if err := p.spawn(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	return p, nil
}

// Launch starts a program with its log at dir/logs/name.log.
func Launch(name, program, dir string, env ...string) (*Process, error) {
	return spec{name: name, path: program, log: filepath.Join(dir, "logs", name+".log"), env: env}.start()
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// spawn starts the process from a thread that stays until it has ended, since Linux binds the child to that thread.
func (p *Process) spawn() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // ExitCode tells
		}
	}()
	return <-started
}

// Signal sends a signal; a process that has ended takes none.
func (p *Process) Signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) }

// Kill ends the process as a crash does, and returns when it is gone.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the process to end and reports whether it did so as [Process.Ends] says.
func (p *Process) Stop(within time.Duration) bool {
	p.Signal(syscall.SIGTERM)
	return p.Ends(within)
}

// Ends reports whether the process, which was asked to, ends within the time and with success. One that does not is
// killed.
func (p *Process) Ends(within time.Duration) bool {
	select {
	case <-p.done:
		return p.cmd.ProcessState.Success()
	case <-time.After(within):
		p.Kill()
		return false
	}
}

// Ended reports whether the process is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// process is one redis-server, or one of its kind. It can be killed and started again.
type process struct {
	args          []string
	network, addr string
	handshake     func(net.Conn) net.Conn // nil: none

	output bytes.Buffer
	cmd    *exec.Cmd
	ended  chan struct{}
}

// start returns when the process answers.
func (p *process) start() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("redis-server is not on PATH: run `apt-get install redis-server`, or the tests by `make test`, which brings one")
	}
	p.cmd = exec.Command(path, p.args...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = &p.output, &p.output, dieWithParent()
	if err := p.spawn(); err != nil {
		return err
	}
	deadline := time.After(20 * time.Second)
	for !p.pong() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-p.ended:
			return fmt.Errorf("redis-server ended at its start:\n%s", p.output.String())
		case <-deadline:
			p.kill()
			return fmt.Errorf("redis-server does not answer:\n%s", p.output.String())
		}
	}
	return nil
}

// spawn starts the process from a thread that stays until the process has ended: Linux sends the signal of the parent's
// death when the thread ends that started it.
func (p *process) spawn() error {
	started := make(chan error)
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		runtime.LockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed: the error says only that
		}
	}(p.cmd, p.ended)
	return <-started
}

// pong asks without a client library: that would log each vain attempt.
func (p *process) pong() bool {
	answer := p.ask("PING")
	return answer == "+PONG" || strings.HasPrefix(answer, "-NOAUTH")
}

// ask is the first line of the answer to a command without spaces in its words; "" without one.
func (p *process) ask(command string) string {
	conn, err := net.DialTimeout(p.network, p.addr, time.Second)
	if err != nil {
		return ""
	}
	if p.handshake != nil {
		conn = p.handshake(conn)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(command + "\r\n"))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

// kill ends the process as a crash does and returns when it is gone. A second call does nothing.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

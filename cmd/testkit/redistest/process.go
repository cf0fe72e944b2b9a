package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"orchestrator/cmd/internal/process"
)

// instance is one redis-server, or one of its kind. It can be killed and started again.
type instance struct {
	args          []string
	network, addr string
	handshake     func(net.Conn) net.Conn // nil: none

	output  bytes.Buffer
	process *process.Process
}

// start returns when the process answers.
func (i *instance) start() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("redis-server is not on PATH: run `apt-get install redis-server`, or the tests by `make test`, which brings one")
	}
	if i.process, err = process.Start(process.Spec{Name: "redis-server", Path: path, Args: i.args, Output: &i.output}); err != nil {
		return err
	}
	deadline := time.After(20 * time.Second)
	for !i.pong() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-i.process.Done():
			return fmt.Errorf("redis-server ended at its start:\n%s", i.output.String())
		case <-deadline:
			i.kill()
			return fmt.Errorf("redis-server does not answer:\n%s", i.output.String())
		}
	}
	return nil
}

// pong asks without a client library: that would log each vain attempt.
func (i *instance) pong() bool {
	answer := i.ask("PING")
	return answer == "+PONG" || strings.HasPrefix(answer, "-NOAUTH")
}

// ask is the first line of the answer to a command without spaces in its words; "" without one.
func (i *instance) ask(command string) string {
	conn, err := net.DialTimeout(i.network, i.addr, time.Second)
	if err != nil {
		return ""
	}
	if i.handshake != nil {
		conn = i.handshake(conn)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(command + "\r\n"))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

// kill ends the process as a crash does and returns when it is gone. A second call does nothing.
func (i *instance) kill() { i.process.Kill() }

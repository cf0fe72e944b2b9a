package rig

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Treatment is what happens to a command on its way to Redis.
type Treatment int

// The treatments.
const (
	Pass      Treatment = iota
	Drop                // the connection breaks before Redis gets the command
	LoseReply           // Redis gets the command, and the connection breaks before the reply is passed on
)

// RedisProxy stands between one process and Redis.
type RedisProxy struct {
	Socket string

	listener net.Listener
	redis    string
	look     func(words []string) Treatment
	broken   func() // called when Redis cannot be reached, or breaks a connection
	gate     gate
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// NewRedisProxy listens on a socket and asks look about every command. It calls broken when Redis itself fails.
func NewRedisProxy(socket, redis string, look func(words []string) Treatment, broken func()) (*RedisProxy, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	p := &RedisProxy{Socket: socket, listener: listener, redis: redis, look: look, broken: broken, open: map[net.Conn]bool{}}
	go p.accept()
	return p, nil
}

func (p *RedisProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(client)
	}
}

func (p *RedisProxy) serve(client net.Conn) {
	defer p.forget(client)
	server, err := net.Dial("unix", p.redis)
	if err != nil {
		p.broken()
		return
	}
	defer server.Close()
	p.remember(client)
	var losing atomic.Bool
	go func() {
		defer client.Close()
		defer server.Close()
		if p.replies(server, client, &losing) {
			p.broken()
		}
	}()
	commands := bufio.NewReaderSize(client, 64<<10)
	for {
		c, err := readCommand(commands)
		if err != nil {
			return
		}
		p.gate.pass()
		treatment := p.look(c.words)
		if treatment == Drop {
			return
		}
		losing.Store(treatment == LoseReply)
		if _, err := server.Write(c.raw); err != nil {
			return
		}
	}
}

// replies passes replies on until one is to be lost. It reports whether Redis broke the connection.
func (p *RedisProxy) replies(server, client net.Conn, losing *atomic.Bool) bool {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
		}
		p.gate.pass()
		if losing.Load() {
			return false
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return false
		}
	}
}

func (p *RedisProxy) remember(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = true
}

func (p *RedisProxy) forget(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// Split holds all commands and replies until Join. They pass late then.
func (p *RedisProxy) Split() { p.gate.close() }

// Join ends a Split.
func (p *RedisProxy) Join() { p.gate.open() }

// Close ends the proxy and every connection through it.
func (p *RedisProxy) Close() {
	p.gate.open()
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

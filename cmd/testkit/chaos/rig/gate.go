package rig

import (
	"errors"
	"net"
	"sync"
)

// gate holds what passes through it while it is shut, as a split network does: nothing arrives, and no connection breaks.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil while it is open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// pass returns when the gate is open. It reports whether it had to wait.
func (g *gate) pass() (held bool) {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return shut != nil
}

// gatedListener accepts connections through a gate.
type gatedListener struct {
	net.Listener
	gate *gate
}

func (l gatedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return gatedConn{c, l.gate}, nil
}

// gatedConn breaks, once the gate is open again, if anything was held: its client has given up by then.
type gatedConn struct {
	net.Conn
	gate *gate
}

var errHeld = errors.New("the network was split")

func (c gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.gate.pass() {
		c.Close()
		return 0, errHeld
	}
	return n, err
}

func (c gatedConn) Write(b []byte) (int, error) {
	if c.gate.pass() {
		c.Close()
		return 0, errHeld
	}
	return c.Conn.Write(b)
}

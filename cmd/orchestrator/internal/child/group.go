package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"orchestrator/cmd/internal/process"
)

// Group is children that belong together: when one is given up, the whole is to end. Make it with [NewGroup].
type Group struct {
	say          func(format string, args ...any)
	failed       chan error
	now          chan struct{}
	kill         sync.Once
	restartAfter time.Duration
	mostDeaths   int
	within       time.Duration
}

// NewGroup returns a group without children. say is called with lines about deaths and restarts, from any goroutine.
func NewGroup(say func(format string, args ...any)) *Group {
	return &Group{say: say, failed: make(chan error, 1), now: make(chan struct{}), restartAfter: time.Second, mostDeaths: 5, within: time.Minute}
}

// Failed delivers the error of the first child that is given up. Nothing is stopped by that.
func (g *Group) Failed() <-chan error { return g.failed }

// KillNow makes every Stop, begun or to come, kill at once.
func (g *Group) KillNow() { g.kill.Do(func() { close(g.now) }) }

// Child is a running child.
type Child struct {
	spec    Spec
	group   *Group
	stop    chan struct{}
	once    sync.Once
	stopped chan struct{}
	deaths  []time.Time
}

// Start starts a child and returns once it is ready. A child that dies before that is not tried again: the error has the
// end of its log. The log of the life before is kept beside the new one, with .old at its end.
func (g *Group) Start(ctx context.Context, spec Spec) (*Child, error) {
	spec = spec.withDefaults()
	if err := os.Rename(spec.Log, spec.Log+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: its log: %w", spec.Name, err)
	}
	p, err := spec.launch()
	if err != nil {
		return nil, err
	}
	if err := spec.awaitReady(ctx, p); err != nil {
		end(p, spec.Grace, g.now)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w%s", err, tail(spec.Log))
	}
	c := &Child{spec: spec, group: g, stop: make(chan struct{}), stopped: make(chan struct{})}
	go c.keep(p)
	return c, nil
}

// Stop ends the child and returns when it is gone. A nil child and a second call do nothing.
func (c *Child) Stop() {
	if c == nil {
		return
	}
	c.once.Do(func() { close(c.stop) })
	<-c.stopped
}

// keep sees to the child until it is stopped or given up.
func (c *Child) keep(p *process.Process) {
	defer close(c.stopped)
	for {
		select {
		case <-c.stop:
			end(p, c.spec.Grace, c.group.now)
			return
		case <-p.Done():
		}
		if p = c.next(p.Exit()); p == nil {
			return
		}
	}
}

// next is the process after a death, or nil where there is to be none.
func (c *Child) next(how string) *process.Process {
	for {
		if !c.mayLive() {
			c.giveUp(how)
			return nil
		}
		c.group.say("%s died (%s) and is started again; its log: %s%s", c.spec.Name, how, c.spec.Log, tail(c.spec.Log))
		select {
		case <-c.stop:
			return nil
		case <-time.After(c.group.restartAfter):
		}
		p, err := c.spec.launch()
		if err == nil {
			return p
		}
		how = err.Error()
	}
}

// mayLive counts a death.
func (c *Child) mayLive() bool {
	now := time.Now()
	c.deaths = append(c.deaths, now)
	for now.Sub(c.deaths[0]) > c.group.within {
		c.deaths = c.deaths[1:]
	}
	return c.spec.Restart && len(c.deaths) <= c.group.mostDeaths
}

func (c *Child) giveUp(how string) {
	err := fmt.Errorf("%s died: %s; its log: %s%s", c.spec.Name, how, c.spec.Log, tail(c.spec.Log))
	if c.spec.Restart {
		err = fmt.Errorf("%s died %d times in %s, the last time with %s; its log: %s%s",
			c.spec.Name, len(c.deaths), c.group.within, how, c.spec.Log, tail(c.spec.Log))
	}
	select {
	case c.group.failed <- err:
	default: // another one was first
	}
}

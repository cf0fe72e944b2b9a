package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Supervisor keeps processes running until it is stopped. Its fields may be changed before the first Start.
type Supervisor struct {
	// Progress is called with lines about the normal course of things, Trouble with lines about deaths.
	Progress, Trouble func(format string, args ...any)
	// StartTimeout is how long a process may take until it is ready the first time.
	StartTimeout time.Duration
	// RestartDelay is the time between a death and the next start.
	RestartDelay time.Duration
	// MaxDeaths within Window end the attempts.
	MaxDeaths int
	Window    time.Duration

	mu       sync.Mutex
	children []*child // in order of start
	failed   chan error
	now      chan struct{} // closed by Kill
	killOnce sync.Once
}

// New returns a supervisor with the usual limits: a minute to start, 1 s between death and restart, 5 deaths a minute.
func New(progress, trouble func(format string, args ...any)) *Supervisor {
	return &Supervisor{
		Progress: progress, Trouble: trouble,
		StartTimeout: time.Minute, RestartDelay: time.Second, MaxDeaths: 5, Window: time.Minute,
		failed: make(chan error, 1), now: make(chan struct{}),
	}
}

// child is one Process under supervision.
type child struct {
	Process
	stop    chan struct{} // closed by Stop
	stopped chan struct{} // closed once its process has ended for good
	deaths  []time.Time
}

// Start launches the process and returns once it is ready; from then on it is started again whenever it dies. A process
// that dies before it is ready is not tried again: the error holds the end of its log.
func (s *Supervisor) Start(ctx context.Context, p Process) error {
	begin := time.Now()
	r, err := p.launch()
	if err != nil {
		return err
	}
	c := &child{Process: p, stop: make(chan struct{}), stopped: make(chan struct{})}
	s.mu.Lock()
	s.children = append(s.children, c)
	s.mu.Unlock()

	limited, cancel := context.WithTimeoutCause(ctx, s.StartTimeout, fmt.Errorf("gave up after %s", s.StartTimeout))
	defer cancel()
	err = p.awaitReady(limited, r)
	go s.watch(c, r, err != nil)
	if err != nil {
		return p.withLog(err)
	}
	s.Progress("%s ready (%.1f s)", p.Name, time.Since(begin).Seconds())
	return nil
}

// Failed delivers the error of the first process that is given up. Nothing is stopped by that.
func (s *Supervisor) Failed() <-chan error { return s.failed }

// watch sees to one child until it is stopped or given up. A child whose start failed is only kept to be ended.
func (s *Supervisor) watch(c *child, r *running, startFailed bool) {
	defer close(c.stopped)
	for {
		select {
		case <-c.stop:
			r.end(c.Grace, s.now)
			_ = os.Remove(c.PidFile)
			return
		case <-r.done:
		}
		_ = os.Remove(c.PidFile)
		if startFailed {
			return
		}
		if r = s.revive(c, r.err); r == nil {
			return
		}
	}
}

// revive starts a dead child again. It returns nil when the child is to stay dead.
func (s *Supervisor) revive(c *child, cause error) *running {
	for {
		if err := s.countDeath(c, cause); err != nil {
			s.giveUp(err)
			return nil
		}
		s.Trouble("%s died (%v); starting it again in %s; its log is %s", c.Name, cause, s.RestartDelay, c.LogFile)
		select {
		case <-c.stop:
			return nil
		case <-time.After(s.RestartDelay):
		}
		r, err := c.launch()
		if err == nil {
			go s.announce(c, r)
			return r
		}
		cause = err
	}
}

// announce says when a restarted child is ready again.
func (s *Supervisor) announce(c *child, r *running) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), s.StartTimeout)
	defer cancel()
	stopWatching := make(chan struct{})
	defer close(stopWatching)
	go func() {
		select {
		case <-c.stop:
			cancel()
		case <-stopWatching:
		}
	}()
	if err := c.awaitReady(ctx, r); err == nil {
		s.Trouble("%s ready again (%.1f s)", c.Name, time.Since(begin).Seconds())
	}
}

// countDeath records a death and returns an error when there were too many of late.
func (s *Supervisor) countDeath(c *child, cause error) error {
	oldest := time.Now().Add(-s.Window)
	recent := c.deaths[:0]
	for _, at := range c.deaths {
		if at.After(oldest) {
			recent = append(recent, at)
		}
	}
	c.deaths = append(recent, time.Now())
	if len(c.deaths) < s.MaxDeaths {
		return nil
	}
	return c.withLog(fmt.Errorf("died %d times within %s, the last time: %w", len(c.deaths), s.Window, cause))
}

func (s *Supervisor) giveUp(err error) {
	select {
	case s.failed <- err:
	default: // one reason is enough
	}
}

// Stop ends the named processes beside each other, and returns when they are gone. Unknown names are ignored.
func (s *Supervisor) Stop(names ...string) {
	var waiting sync.WaitGroup
	for _, name := range names {
		if c := s.take(name); c != nil {
			close(c.stop)
			waiting.Go(func() { <-c.stopped })
		}
	}
	waiting.Wait()
}

// Kill makes every Stop, running or to come, kill at once.
func (s *Supervisor) Kill() { s.killOnce.Do(func() { close(s.now) }) }

func (s *Supervisor) take(name string) *child {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range s.children {
		if c.Name == name {
			s.children = append(s.children[:i:i], s.children[i+1:]...)
			return c
		}
	}
	return nil
}

// withLog adds to the error where the log is and how it ends. A start that was broken off from outside needs no log.
func (p *Process) withLog(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return fmt.Errorf("%s: %w; its log %s ends with:\n%s", p.Name, err, p.LogFile, tail(p.LogFile, 15))
}

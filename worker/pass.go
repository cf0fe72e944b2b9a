package worker

import (
	"context"
	"sync"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

var (
	errOvertaken = provision.Errorf(provision.CodeSuperseded, "a newer request took this one's place")
	errLeaseLost = provision.Errorf(provision.CodeUnavailable, "the lease of the store was lost; another run may have begun")
)

// pass is the right to run one generation of one store. It is the run's [provision.Fence].
type pass struct {
	gate *gate
	run  queue.Run

	ctx    context.Context // ends when the run has to go; its cause says why
	cancel context.CancelCauseFunc
	wake   chan struct{}
	kept   chan struct{} // closed when keep has ended

	mu    sync.Mutex
	until time.Time // no write after this, by the local monotonic clock
}

func newPass(ctx context.Context, g *gate, run queue.Run, start time.Time) *pass {
	p := &pass{gate: g, run: run, wake: make(chan struct{}, 1), kept: make(chan struct{}), until: start.Add(fenceAfter)}
	// The values of the task's context stay; its end does not end the run: the worker does that itself, with a cause.
	p.ctx, p.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return p
}

// Check reports whether the lease may have run out.
func (p *pass) Check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().After(p.until) {
		return errLeaseLost
	}
	return nil
}

// Confirm renews the lease now and reports why the run has to go, if it has to.
func (p *pass) Confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	return p.renew(ctx)
}

func (p *pass) renew(ctx context.Context) error {
	start := time.Now()
	answer, err := p.gate.leases.Renew(ctx, p.run, leaseTTL)
	if err != nil {
		return err
	}
	if answer == queue.Lost {
		return errLeaseLost
	}
	p.mu.Lock()
	p.until = start.Add(fenceAfter)
	p.mu.Unlock()
	if answer == queue.Overtaken {
		return errOvertaken
	}
	return nil
}

// keep renews the lease until the run ends or has to go. A renewal that fails on the way is tried again every second
// while the fence stands.
func (p *pass) keep() {
	defer close(p.kept)
	next := time.NewTimer(renewEvery)
	defer next.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-next.C:
		case <-p.wake:
		}
		err := p.Confirm(p.ctx)
		switch {
		case err == nil:
			next.Reset(renewEvery)
			continue
		case err == errOvertaken, err == errLeaseLost:
			p.cancel(err)
		case p.Check() != nil:
			p.cancel(errLeaseLost)
		}
		next.Reset(time.Second)
	}
}

// hurry makes keep ask now.
func (p *pass) hurry() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// close ends the run's context and waits until nothing renews any more.
func (p *pass) close() {
	p.cancel(nil)
	<-p.kept
}

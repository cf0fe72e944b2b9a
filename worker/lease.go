package worker

import (
	"context"
	"sync"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

var (
	errSuperseded = provision.Errorf(provision.CodeSuperseded, "a newer request took this one's place")
	errLeaseLost  = provision.Errorf(provision.CodeUnavailable, "the lease of the store was lost; another run may have begun")
)

// lease is the right to run one generation of one store. It is the run's [provision.Fence].
type lease struct {
	manager *leaseManager
	run     record.Run

	ctx     context.Context // ends when the run has to go; its cause says why
	cancel  context.CancelCauseFunc
	held    context.Context // ends when the run is over: what it still waits for is done under the lease
	release context.CancelFunc
	wake    chan struct{}
	renewed chan struct{} // closed when keep has ended

	mu    sync.Mutex
	until time.Time // no write after this, by the local monotonic clock
}

func newLease(ctx context.Context, g *leaseManager, run record.Run, start time.Time) *lease {
	p := &lease{manager: g, run: run, wake: make(chan struct{}, 1), renewed: make(chan struct{}), until: start.Add(fenceAfter)}
	// The values of the task's context stay; its end does not end the run: the worker does that itself, with a cause.
	p.held, p.release = context.WithCancel(context.WithoutCancel(ctx))
	p.ctx, p.cancel = context.WithCancelCause(p.held)
	return p
}

// Check reports whether the lease may have run out.
func (p *lease) Check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().After(p.until) {
		return errLeaseLost
	}
	return nil
}

// Confirm renews the lease now and reports why the run has to go, if it has to.
func (p *lease) Confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return p.renew(ctx)
}

func (p *lease) renew(ctx context.Context) error {
	start := time.Now()
	answer, err := p.manager.leases.Renew(ctx, p.run, leaseTTL)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if answer == record.RenewLost {
		p.until = time.Time{} // somebody else may be inside already
		return errLeaseLost
	}
	p.until = start.Add(fenceAfter)
	if answer == record.RenewSuperseded {
		return errSuperseded
	}
	return nil
}

// renewLoop renews the lease until the run is over, has lost it, or takes too long to go: a call to Helm that is in hand when
// the run has to go must not lose its fence half-way, and one that never ends must not keep the store for ever.
func (p *lease) renewLoop() {
	defer close(p.renewed)
	next := time.NewTimer(renewEvery)
	defer next.Stop()
	told := p.ctx.Done()
	var enough <-chan time.Time
	for {
		select {
		case <-p.held.Done():
			return
		case <-told:
			told, enough = nil, time.After(helmTimeout)
			continue
		case <-enough:
			return
		case <-next.C:
		case <-p.wake:
		}
		pause, lost := p.renewOnce()
		if lost {
			return
		}
		next.Reset(pause)
	}
}

// renewOnce renews the lease once and tells the run to go if it has to. A renewal that fails on the way is tried again every
// second while the fence stands.
func (p *lease) renewOnce() (pause time.Duration, lost bool) {
	err := p.Confirm(p.held)
	if err == errSuperseded {
		p.cancel(err)
		err = nil
	}
	switch {
	case err == nil:
		return renewEvery, false
	case err == errLeaseLost, p.Check() != nil:
		p.cancel(errLeaseLost)
		return 0, true
	}
	return time.Second, false
}

// renewNow makes keep ask now.
func (p *lease) renewNow() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// close ends the run's context and waits until nothing renews any more.
func (p *lease) close() {
	p.cancel(nil)
	p.release()
	<-p.renewed
}

package worker

import (
	"context"
	"sync"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/record"
	"orchestrator/worker/tracing"
)

var (
	errSuperseded = provision.Errorf(provision.CodeSuperseded, "a newer request has superseded this one")
	errLeaseLost  = provision.Errorf(provision.CodeUnavailable, "the lease of the store was lost; another run may have begun")
)

// lease is the right to run one generation of one store. It is the run's [provision.Fence].
type lease struct {
	manager *leaseManager
	run     record.Run
	span    tracing.Span // of the run

	ctx     context.Context // ends when the run has to go; its cause says why
	cancel  context.CancelCauseFunc
	held    context.Context // ends when the run is over: what it still waits for is done under the lease
	release context.CancelFunc
	wake    chan struct{}
	renewed chan struct{} // closed when keep has ended

	mu    sync.Mutex
	until time.Time // no write after this, by the local monotonic clock
}

func newLease(ctx context.Context, m *leaseManager, run record.Run, start time.Time) *lease {
	l := &lease{manager: m, run: run, wake: make(chan struct{}, 1), renewed: make(chan struct{}), until: start.Add(fenceAfter)}
	// The values of the task's context stay; its end does not end the run: the worker does that itself, with a cause.
	l.held, l.release = context.WithCancel(context.WithoutCancel(ctx))
	l.ctx, l.cancel = context.WithCancelCause(l.held)
	return l
}

// Check reports whether the lease may have run out.
func (l *lease) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().After(l.until) {
		return errLeaseLost
	}
	return nil
}

// Confirm renews the lease now and reports why the run has to go, if it has to.
func (l *lease) Confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return l.renew(ctx)
}

func (l *lease) renew(ctx context.Context) error {
	start := time.Now()
	answer, err := l.manager.leases.Renew(ctx, l.run, leaseTTL)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if answer == record.RenewLost {
		l.until = time.Time{} // another run may hold the lease already
		return errLeaseLost
	}
	l.until = start.Add(fenceAfter)
	if answer == record.RenewSuperseded {
		return errSuperseded
	}
	return nil
}

// renewLoop renews the lease until the run has ended, has lost it, or takes too long to end: a call to Helm in progress must
// not lose its fence half-way when the run has to end, and one that never ends must not hold the store for ever.
func (l *lease) renewLoop() {
	defer close(l.renewed)
	next := time.NewTimer(renewEvery)
	defer next.Stop()
	ended := l.ctx.Done()
	var enough <-chan time.Time
	for {
		select {
		case <-l.held.Done():
			return
		case <-ended:
			ended, enough = nil, time.After(helmTimeout)
			continue
		case <-enough:
			return
		case <-next.C:
		case <-l.wake:
		}
		pause, lost := l.renewOnce()
		if lost {
			return
		}
		next.Reset(pause)
	}
}

// renewOnce renews the lease once and cancels the run if it has to end. A renewal that does not reach Redis is tried again every
// second while the fence stands.
func (l *lease) renewOnce() (pause time.Duration, lost bool) {
	err := l.Confirm(l.held)
	if err == errSuperseded {
		l.cancel(err)
		err = nil
	}
	switch {
	case err == nil:
		return renewEvery, false
	case err == errLeaseLost, l.Check() != nil:
		l.cancel(errLeaseLost)
		return 0, true
	}
	return time.Second, false
}

// renewNow makes keep ask now.
func (l *lease) renewNow() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// close ends the run's context and waits until nothing renews any more.
func (l *lease) close() {
	l.cancel(nil)
	l.release()
	<-l.renewed
}

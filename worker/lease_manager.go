package worker

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// RunLeases is the gate's side of the records.
type RunLeases interface {
	Acquire(ctx context.Context, t queue.Task, token string, lease time.Duration, progress bool) (record.AcquireResult, record.Run, error)
	Renew(ctx context.Context, run record.Run, lease time.Duration) (record.RenewResult, error)
	Release(ctx context.Context, run record.Run, exit record.RunEnd) (attempts int, err error)
}

// leaseManager lets one run per store in, in all workers together, and tells a run when it has to go.
type leaseManager struct {
	leases   RunLeases
	progress bool
	log      *slog.Logger

	mu      sync.Mutex
	active  map[string]*lease // by store id: the runs of this process
	pending []pendingRelease
}

// pendingRelease is a gate that could not be given back, since Redis did not answer.
type pendingRelease struct {
	run record.Run
	end record.RunEnd
}

func newLeaseManager(leases RunLeases, progress bool, log *slog.Logger) *leaseManager {
	return &leaseManager{leases: leases, progress: progress, log: log, active: map[string]*lease{}}
}

// acquire waits a while for the run inside to leave. Without a pass the entry says why.
func (g *leaseManager) acquire(ctx context.Context, t queue.Task) (record.AcquireResult, *lease, error) {
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	token := rand.Text()
	for {
		start := time.Now()
		entry, run, err := g.try(ctx, t, token)
		if err == nil && entry == record.Acquired {
			return entry, g.start(ctx, run, start), nil
		}
		if err != nil {
			g.releaseUnanswered(t, token)
			return "", nil, err
		}
		if entry != record.AcquireHeld && entry != record.AcquireWaiting {
			return entry, nil, nil
		}
		select {
		case <-ctx.Done():
			return entry, nil, nil
		case <-time.After(acquireEvery):
		}
	}
}

func (g *leaseManager) try(ctx context.Context, t queue.Task, token string) (record.AcquireResult, record.Run, error) {
	// An answer that comes after the slot was given up would leave a lease that nobody renews.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	return g.leases.Acquire(ctx, t, token, leaseTTL, g.progress)
}

func (g *leaseManager) start(ctx context.Context, run record.Run, start time.Time) *lease {
	p := newLease(ctx, g, run, start)
	g.mu.Lock()
	g.active[run.Store.StoreID] = p
	g.mu.Unlock()
	go p.renewLoop()
	return p
}

// release ends the pass. It is called exactly once, after the last write of the run.
func (g *leaseManager) release(p *lease, exit record.RunEnd) {
	p.close()
	g.mu.Lock()
	if g.active[p.run.Store.StoreID] == p {
		delete(g.active, p.run.Store.StoreID)
	}
	g.mu.Unlock()
	if err := g.releaseRun(p.run, exit); err != nil {
		g.log.Warn("the gate is given back later", "store_id", p.run.Store.StoreID, "error", err)
		g.mu.Lock()
		g.pending = append(g.pending, pendingRelease{p.run, exit})
		g.mu.Unlock()
	}
}

// retryReleases gives back what an outage of Redis kept, until ctx ends: a run that left while Redis was away would count as
// one that crashed.
func (g *leaseManager) retryReleases(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.retryAll()
		}
	}
}

// retryAll stops at the first debt that cannot be paid: the others would wait as long for the same answer.
func (g *leaseManager) retryAll() {
	g.mu.Lock()
	owed := g.pending
	g.pending = nil
	g.mu.Unlock()
	for i, d := range owed {
		if g.releaseRun(d.run, d.end) != nil {
			g.mu.Lock()
			g.pending = append(g.pending, owed[i:]...)
			g.mu.Unlock()
			return
		}
	}
}

// releaseUnanswered gives back what an entry may have taken whose answer was lost: nobody renews it, and the next run would take
// it for one that crashed.
func (g *leaseManager) releaseUnanswered(t queue.Task, token string) {
	run := record.Run{Op: t.Op, Token: token, Store: provision.Store{Generation: t.Generation}}
	run.Store.StoreID = t.StoreID
	if err := g.releaseRun(run, record.RunEnd{}); err != nil {
		g.log.Debug("an entry without an answer was not given back", "store_id", t.StoreID, "error", err)
	}
}

func (g *leaseManager) releaseRun(run record.Run, exit record.RunEnd) error {
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	_, err := g.leases.Release(ctx, run, exit)
	return err
}

// renewNow makes the run of a store, if it is here, ask at once whether it is still wanted.
func (g *leaseManager) renewNow(storeID string) {
	g.mu.Lock()
	p := g.active[storeID]
	g.mu.Unlock()
	if p != nil {
		p.renewNow()
	}
}

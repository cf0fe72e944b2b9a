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

// RunLeases are the leases of stores in the records: [record.Runs].
type RunLeases interface {
	Acquire(ctx context.Context, t queue.Task, token string, lease time.Duration, progress bool) (record.AcquireResult, record.Run, error)
	Renew(ctx context.Context, run record.Run, lease time.Duration) (record.RenewResult, error)
	Release(ctx context.Context, run record.Run, exit record.RunEnd) (attempts int, err error)
}

// leaseManager holds the leases of this process's runs: one run per store, over all workers. It ends a run that is superseded
// or has lost its lease.
type leaseManager struct {
	leases   RunLeases
	progress bool
	log      *slog.Logger

	mu      sync.Mutex
	active  map[string]*lease // by store id: the runs of this process
	pending []pendingRelease
}

// pendingRelease is a lease that could not be released, since Redis did not answer.
type pendingRelease struct {
	run record.Run
	end record.RunEnd
}

func newLeaseManager(leases RunLeases, progress bool, log *slog.Logger) *leaseManager {
	return &leaseManager{leases: leases, progress: progress, log: log, active: map[string]*lease{}}
}

// acquire waits up to acquireTimeout for the run that holds the lease to release it. Without a lease the result says why.
func (m *leaseManager) acquire(ctx context.Context, t queue.Task) (record.AcquireResult, *lease, error) {
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	token := rand.Text()
	for {
		start := time.Now()
		result, run, err := m.try(ctx, t, token)
		if err == nil && result == record.Acquired {
			return result, m.start(ctx, run, start), nil
		}
		if err != nil {
			m.releaseUnanswered(t, token)
			return "", nil, err
		}
		if result != record.AcquireHeld && result != record.AcquireWaiting {
			return result, nil, nil
		}
		select {
		case <-ctx.Done():
			return result, nil, nil
		case <-time.After(acquireEvery):
		}
	}
}

func (m *leaseManager) try(ctx context.Context, t queue.Task, token string) (record.AcquireResult, record.Run, error) {
	// If the task ended before the answer came, a lease would stay that no run renews.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	return m.leases.Acquire(ctx, t, token, leaseTTL, m.progress)
}

// acquireOnce takes the lease with acquire, or returns at once why not.
func (m *leaseManager) acquireOnce(ctx context.Context, storeID string, generation int64, acquire func(context.Context, string) (record.AcquireResult, record.Run, error)) (record.AcquireResult, *lease, error) {
	token, start := rand.Text(), time.Now()
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	result, run, err := acquire(short, token)
	if err != nil {
		m.releaseUnanswered(queue.Task{StoreID: storeID, Generation: generation}, token)
		return "", nil, err
	}
	if result != record.Acquired {
		return result, nil, nil
	}
	return result, m.start(ctx, run, start), nil
}

func (m *leaseManager) start(ctx context.Context, run record.Run, start time.Time) *lease {
	l := newLease(ctx, m, run, start)
	m.mu.Lock()
	m.active[run.Store.StoreID] = l
	m.mu.Unlock()
	go l.renewLoop()
	return l
}

// release ends the lease. It is called exactly once, after the last write of the run.
func (m *leaseManager) release(l *lease, exit record.RunEnd) {
	l.close()
	m.mu.Lock()
	if m.active[l.run.Store.StoreID] == l {
		delete(m.active, l.run.Store.StoreID)
	}
	m.mu.Unlock()
	if err := m.releaseRun(l.run, exit); err != nil {
		m.log.Warn("a lease was not released; it is tried again", "store_id", l.run.Store.StoreID, "error", err)
		m.releaseSoon(l.run, exit)
	}
}

func (m *leaseManager) releaseSoon(run record.Run, exit record.RunEnd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = append(m.pending, pendingRelease{run, exit})
}

// retryReleases releases, until ctx ends, the leases that an outage of Redis kept: a run that ended while Redis was away would
// count as one that crashed.
func (m *leaseManager) retryReleases(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.retryAll()
		}
	}
}

// lastReleases is how long a worker that stops waits for Redis to answer, before it leaves leases to expire.
const lastReleases = 5 * time.Second

// releaseAll releases what is pending at the end of the process, within the limit: a worker that was stopped while Redis was away would
// leave runs behind that count as crashed.
func (m *leaseManager) releaseAll(limit time.Duration) {
	for deadline := time.Now().Add(limit); m.retryAll() > 0 && time.Now().Before(deadline); {
		time.Sleep(acquireEvery)
	}
}

// retryAll returns how many releases are left. It stops at the first release that fails: the others would wait as long for the same answer.
func (m *leaseManager) retryAll() int {
	m.mu.Lock()
	releases := m.pending
	m.pending = nil
	m.mu.Unlock()
	for i, d := range releases {
		if m.releaseRun(d.run, d.end) != nil {
			m.mu.Lock()
			m.pending = append(m.pending, releases[i:]...)
			m.mu.Unlock()
			return len(releases) - i
		}
	}
	return 0
}

// releaseUnanswered releases a lease that may have been taken although the answer was lost: no run renews it, and the next run would take
// it for one that crashed.
func (m *leaseManager) releaseUnanswered(t queue.Task, token string) {
	run := record.Run{Op: t.Op, Token: token, Store: provision.Store{Generation: t.Generation}}
	run.Store.StoreID = t.StoreID
	if err := m.releaseRun(run, record.RunEnd{}); err != nil {
		m.log.Debug("a lease whose answer was lost was not released; it is tried again", "store_id", t.StoreID, "error", err)
		m.releaseSoon(run, record.RunEnd{})
	}
}

func (m *leaseManager) releaseRun(run record.Run, exit record.RunEnd) error {
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	_, err := m.leases.Release(ctx, run, exit)
	return err
}

// renewNow makes the run of a store, if it is here, ask at once whether it is still wanted.
func (m *leaseManager) renewNow(storeID string) {
	m.mu.Lock()
	l := m.active[storeID]
	m.mu.Unlock()
	if l != nil {
		l.renewNow()
	}
}

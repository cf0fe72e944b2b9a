package worker

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// Leases is the gate's side of the records.
type Leases interface {
	Enter(ctx context.Context, t queue.Task, token string, lease time.Duration, progress bool) (queue.Entry, queue.Run, error)
	Renew(ctx context.Context, run queue.Run, lease time.Duration) (queue.Renewal, error)
	Leave(ctx context.Context, run queue.Run, exit queue.Exit) (attempts int, err error)
}

// gate lets one run per store in, in all workers together, and tells a run when it has to go.
type gate struct {
	leases   Leases
	progress bool
	log      *slog.Logger

	mu     sync.Mutex
	inside map[string]*pass // by store id: the runs of this process
	owed   []debt
}

// debt is a gate that could not be given back, since Redis did not answer.
type debt struct {
	run  queue.Run
	exit queue.Exit
}

func newGate(leases Leases, progress bool, log *slog.Logger) *gate {
	return &gate{leases: leases, progress: progress, log: log, inside: map[string]*pass{}}
}

// enter waits a while for the run inside to leave. Without a pass the entry says why.
func (g *gate) enter(ctx context.Context, t queue.Task) (queue.Entry, *pass, error) {
	ctx, cancel := context.WithTimeout(ctx, enterWait)
	defer cancel()
	token := rand.Text()
	for {
		start := time.Now()
		entry, run, err := g.try(ctx, t, token)
		if err == nil && entry == queue.Entered {
			return entry, g.admit(ctx, run, start), nil
		}
		if err != nil {
			g.abandon(t, token)
			return "", nil, err
		}
		if entry != queue.Held && entry != queue.Waiting {
			return entry, nil, nil
		}
		select {
		case <-ctx.Done():
			return entry, nil, nil
		case <-time.After(enterEvery):
		}
	}
}

func (g *gate) try(ctx context.Context, t queue.Task, token string) (queue.Entry, queue.Run, error) {
	// An answer that comes after the slot was given up would leave a lease that nobody renews.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisWait)
	defer cancel()
	return g.leases.Enter(ctx, t, token, leaseTTL, g.progress)
}

func (g *gate) admit(ctx context.Context, run queue.Run, start time.Time) *pass {
	p := newPass(ctx, g, run, start)
	g.mu.Lock()
	g.inside[run.Store.StoreID] = p
	g.mu.Unlock()
	go p.keep()
	return p
}

// leave ends the pass. It is called exactly once, after the last write of the run.
func (g *gate) leave(p *pass, exit queue.Exit) {
	p.close()
	g.mu.Lock()
	if g.inside[p.run.Store.StoreID] == p {
		delete(g.inside, p.run.Store.StoreID)
	}
	g.mu.Unlock()
	if err := g.giveBack(p.run, exit); err != nil {
		g.log.Warn("the gate is given back later", "store_id", p.run.Store.StoreID, "error", err)
		g.mu.Lock()
		g.owed = append(g.owed, debt{p.run, exit})
		g.mu.Unlock()
	}
}

// payDebts gives back what an outage of Redis kept, until ctx ends: a run that left while Redis was away would count as
// one that crashed.
func (g *gate) payDebts(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.payAll()
		}
	}
}

// payAll stops at the first debt that cannot be paid: the others would wait as long for the same answer.
func (g *gate) payAll() {
	g.mu.Lock()
	owed := g.owed
	g.owed = nil
	g.mu.Unlock()
	for i, d := range owed {
		if g.giveBack(d.run, d.exit) != nil {
			g.mu.Lock()
			g.owed = append(g.owed, owed[i:]...)
			g.mu.Unlock()
			return
		}
	}
}

// abandon gives back what an entry may have taken whose answer was lost: nobody renews it, and the next run would take
// it for one that crashed.
func (g *gate) abandon(t queue.Task, token string) {
	run := queue.Run{Op: t.Op, Token: token, Store: provision.Store{Generation: t.Generation}}
	run.Store.StoreID = t.StoreID
	if err := g.giveBack(run, queue.Exit{}); err != nil {
		g.log.Debug("an entry without an answer was not given back", "store_id", t.StoreID, "error", err)
	}
}

func (g *gate) giveBack(run queue.Run, exit queue.Exit) error {
	ctx, cancel := context.WithTimeout(context.Background(), redisWait)
	defer cancel()
	_, err := g.leases.Leave(ctx, run, exit)
	return err
}

// changed makes the run of a store, if it is here, ask at once whether it is still wanted.
func (g *gate) changed(storeID string) {
	g.mu.Lock()
	p := g.inside[storeID]
	g.mu.Unlock()
	if p != nil {
		p.hurry()
	}
}

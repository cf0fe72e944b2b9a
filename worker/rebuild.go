package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

const (
	wholeEvery  = 5 * time.Second  // how often it is asked whether the records are whole
	surveyEvery = 10 * time.Minute // how often one worker compares records and cluster all the same
	surveyWait  = 2 * time.Minute
)

// Memory is the cluster as the second place where truths are kept, for the day on which Redis has lost its own.
type Memory interface {
	Remember(ctx context.Context, s provision.Store, v provision.Verdict) error
	RememberTold(ctx context.Context, s provision.Store, told provision.Status) error
	Survey(ctx context.Context) ([]provision.Memory, error)
}

// Restorer is the rebuilding side of the records.
type Restorer interface {
	Whole(ctx context.Context) (bool, error)
	Restore(ctx context.Context, m provision.Memory, patience time.Duration) (queue.Restoration, error)
	Mark(ctx context.Context) error
}

// rebuilder keeps records and one cluster in agreement: it brings back records that Redis has lost, and has namespaces
// deleted that outlived their delete.
type rebuilder struct {
	cluster  string // "" is the default one
	records  Restorer
	memory   Memory
	acceptor Acceptor
	leads    func(context.Context) (bool, error) // one worker at a time compares what is whole
	patience time.Duration
	log      *slog.Logger
	surveyed time.Time // when the last survey ended
}

// run looks at once and every few seconds, until ctx ends.
func (b *rebuilder) run(ctx context.Context) {
	tick := time.NewTicker(wholeEvery)
	defer tick.Stop()
	for {
		if err := b.round(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("records and cluster were not compared to the end; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round surveys the cluster when the records are not whole, and every ten minutes. On an empty Redis nothing is
// accepted until it has ended once; that several workers do it at a time does no harm.
func (b *rebuilder) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, surveyWait)
	defer cancel()
	whole, err := b.records.Whole(ctx)
	if err != nil || (whole && time.Since(b.surveyed) < surveyEvery) {
		return err
	}
	if whole {
		if lead, err := b.leads(ctx); err != nil || !lead {
			return err
		}
	}
	memories, err := b.memory.Survey(ctx)
	if err != nil {
		return err
	}
	restored, err := b.agree(ctx, memories)
	if err != nil {
		return err
	}
	b.surveyed = time.Now()
	if whole {
		return nil
	}
	b.log.Warn("the records were rebuilt from the cluster", "stores", len(memories), "restored", restored)
	return b.records.Mark(ctx)
}

// agree brings each record and its namespace into agreement. What fails for one store does not keep the others from it.
func (b *rebuilder) agree(ctx context.Context, memories []provision.Memory) (restored int, err error) {
	for _, m := range memories {
		m.Store.Cluster = b.cluster
		found, failed := b.records.Restore(ctx, m, b.patience)
		err = errors.Join(err, failed)
		switch found {
		case queue.Restored:
			restored++
		case queue.Elsewhere:
			b.log.Error("a store that lives on another cluster has a namespace here too; nobody touches it until somebody has decided",
				"store_id", m.Store.StoreID, "namespace", m.Store.Namespace)
		case queue.Leftover:
			b.log.Warn("a namespace outlived its delete and is deleted again", "store_id", m.Store.StoreID, "namespace", m.Store.Namespace)
			_, failed := b.acceptor.Accept(ctx, provision.Request{StoreID: m.Store.StoreID, Action: provision.OpDelete, Cluster: b.cluster})
			err = errors.Join(err, failed)
		}
	}
	return restored, err
}

// remember keeps a truth in the cluster too. It is not waited for by anybody: a truth that is not remembered is found
// again by looking, or told twice, and only after Redis has lost its data.
func remember(ctx context.Context, log *slog.Logger, s provision.Store, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisWait)
	defer cancel()
	if err := write(ctx); err != nil {
		log.Warn("the cluster was not told of a truth; it is on record all the same", "store_id", s.StoreID, "error", err)
	}
}

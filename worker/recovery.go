package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

const (
	completeEvery    = 5 * time.Second  // how often it is asked whether the records are whole
	reconcileEvery   = 10 * time.Minute // how often one worker compares records and cluster all the same
	reconcileTimeout = 2 * time.Minute
)

// ClusterState is the cluster as the second place where truths are kept, for the day on which Redis has lost its own.
type ClusterState interface {
	SaveOutcome(ctx context.Context, s provision.Store, v provision.Outcome) error
	SaveDelivered(ctx context.Context, s provision.Store, told provision.Status) error
	ListStores(ctx context.Context) ([]provision.SavedState, error)
}

// RecoveryStore is the rebuilding side of the records.
type RecoveryStore interface {
	Complete(ctx context.Context) (bool, error)
	Restore(ctx context.Context, cluster string, saved provision.SavedState, timeout time.Duration) (record.RestoreResult, error)
	MarkComplete(ctx context.Context) error
}

// recoverer keeps records and one cluster in agreement: it brings back records that Redis has lost, and has namespaces
// deleted that outlived their delete.
type recoverer struct {
	cluster           string // "" is the default one
	records           RecoveryStore
	state             ClusterState
	acceptor          Acceptor
	leads             func(context.Context) (bool, error) // one worker at a time compares what is whole
	generationTimeout time.Duration
	log               *slog.Logger
	reconciled        time.Time // when the last survey ended
}

// run looks at once and every few seconds, until ctx ends.
func (b *recoverer) run(ctx context.Context) {
	tick := time.NewTicker(completeEvery)
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
func (b *recoverer) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()
	whole, err := b.records.Complete(ctx)
	if err != nil || (whole && time.Since(b.reconciled) < reconcileEvery) {
		return err
	}
	if whole {
		if lead, err := b.leads(ctx); err != nil || !lead {
			return err
		}
	}
	memories, err := b.state.ListStores(ctx)
	if err != nil {
		return err
	}
	restored, err := b.reconcile(ctx, memories)
	if err != nil {
		return err
	}
	b.reconciled = time.Now()
	if whole {
		return nil
	}
	b.log.Warn("the records were rebuilt from the cluster", "stores", len(memories), "restored", restored)
	return b.records.MarkComplete(ctx)
}

// reconcile brings each record and its namespace into agreement. What fails for one store does not keep the others from it.
func (b *recoverer) reconcile(ctx context.Context, memories []provision.SavedState) (restored int, err error) {
	for _, m := range memories {
		found, failed := b.records.Restore(ctx, b.cluster, m, b.generationTimeout)
		err = errors.Join(err, failed)
		switch found {
		case record.Restored:
			restored++
		case record.RestoreOtherCluster:
			b.log.Error("a store that lives on another cluster has a namespace here too; nobody touches it until somebody has decided",
				"store_id", m.Store.StoreID, "namespace", m.Store.Namespace)
		case record.RestoreLeftover:
			b.log.Warn("a namespace outlived its delete and is deleted again", "store_id", m.Store.StoreID, "namespace", m.Store.Namespace)
			_, failed := b.acceptor.Accept(ctx, provision.Request{StoreID: m.Store.StoreID, Action: provision.OpDelete, Cluster: b.cluster})
			err = errors.Join(err, failed)
		}
	}
	return restored, err
}

// saveState keeps a truth in the cluster too. It is not waited for by anybody: a truth that is not remembered is found
// again by looking, or told twice, and only after Redis has lost its data.
func saveState(ctx context.Context, log *slog.Logger, s provision.Store, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if err := write(ctx); err != nil {
		log.Warn("the cluster was not told of a truth; it is on record all the same", "store_id", s.StoreID, "error", err)
	}
}

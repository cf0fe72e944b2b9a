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
	completeEvery    = 5 * time.Second  // how often it asks whether the records are complete
	reconcileEvery   = 10 * time.Minute // how often one worker reconciles complete records
	reconcileTimeout = 2 * time.Minute
)

// ClusterState saves outcomes in the cluster as well, from where they are restored when Redis has lost its data.
type ClusterState interface {
	SaveOutcome(ctx context.Context, s provision.Store, v provision.Outcome) error
	SaveDelivered(ctx context.Context, s provision.Store, told provision.Status) error
	ListStores(ctx context.Context) ([]provision.SavedState, error)
}

// RecoveryStore restores records: [record.Recovery].
type RecoveryStore interface {
	Complete(ctx context.Context) (bool, error)
	Restore(ctx context.Context, cluster string, saved provision.SavedState, timeout time.Duration) (record.RestoreResult, error)
	MarkComplete(ctx context.Context) error
}

// recoverer reconciles the records with one cluster: it restores records that Redis has lost, and deletes namespaces that
// outlived their delete.
type recoverer struct {
	cluster           string // "" is the default one
	records           RecoveryStore
	state             ClusterState
	acceptor          Acceptor
	leads             func(context.Context) (bool, error) // one worker at a time reconciles complete records
	generationTimeout time.Duration
	log               *slog.Logger
	reconciled        time.Time // when it last ended
}

// run reconciles at once and every few seconds, until ctx ends.
func (b *recoverer) run(ctx context.Context) {
	tick := time.NewTicker(completeEvery)
	defer tick.Stop()
	for {
		if err := b.round(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("the records were not reconciled with the cluster; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round reconciles when the records are incomplete, and every ten minutes. On an empty Redis nothing is accepted until it has
// ended once; several workers may do it at the same time.
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
	stores, err := b.state.ListStores(ctx)
	if err != nil {
		return err
	}
	restored, err := b.reconcile(ctx, stores)
	if err != nil {
		return err
	}
	b.reconciled = time.Now()
	if whole {
		return nil
	}
	b.log.Warn("the records were recovered from the cluster", "stores", len(stores), "restored", restored)
	return b.records.MarkComplete(ctx)
}

// reconcile compares each store with its record. A store that fails does not keep the others from it.
func (b *recoverer) reconcile(ctx context.Context, stores []provision.SavedState) (restored int, err error) {
	for _, m := range stores {
		found, failed := b.records.Restore(ctx, b.cluster, m, b.generationTimeout)
		err = errors.Join(err, failed)
		switch found {
		case record.Restored:
			restored++
		case record.RestoreKnown:
		case record.RestoreOtherCluster:
			b.log.Error("a store that lives on another cluster has a namespace here too; it is left alone until an operator deletes it here or there",
				"store_id", m.Store.StoreID, "namespace", m.Store.Namespace)
		case record.RestoreLeftover:
			b.log.Warn("a namespace outlived its delete and is deleted again", "store_id", m.Store.StoreID, "namespace", m.Store.Namespace)
			_, failed := b.acceptor.Accept(ctx, provision.Request{StoreID: m.Store.StoreID, Action: provision.OpDelete, Cluster: b.cluster})
			err = errors.Join(err, failed)
		}
	}
	return restored, err
}

// saveState saves an outcome in the cluster too. Nothing depends on it but a recovery after Redis has lost its data: an outcome
// that was not saved is then found again by a run, or delivered twice.
func saveState(ctx context.Context, log *slog.Logger, s provision.Store, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if err := write(ctx); err != nil {
		log.Warn("an outcome was not saved in the cluster; it is on record in Redis", "store_id", s.StoreID, "error", err)
	}
}

package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

const (
	completeEvery  = time.Second      // how often it asks whether the records are complete
	reconcileEvery = 10 * time.Minute // how often one worker reconciles complete records
	listTimeout    = 2 * time.Minute
)

// ClusterState saves outcomes in the cluster as well, from where they are restored when Redis has lost its data.
type ClusterState interface {
	SaveOutcome(ctx context.Context, s provision.Store, v provision.Outcome) error
	SaveDelivered(ctx context.Context, s provision.Store, delivered provision.Status) error
	SaveProtected(ctx context.Context, s provision.Store, protected bool) error
	ListStores(ctx context.Context) (provision.SavedStores, error)
}

// RecoveryStore restores records: [record.Recovery].
type RecoveryStore interface {
	Complete(ctx context.Context) (bool, error)
	Restore(ctx context.Context, cluster string, saved provision.SavedState, timeout time.Duration) (record.Comparison, error)
	MarkComplete(ctx context.Context) error
}

// recoverer reconciles the records with one cluster: it restores records that Redis has lost, saves outcomes that the cluster
// does not know, and deletes namespaces that outlived their delete.
type recoverer struct {
	cluster           string // "" is the default one
	records           RecoveryStore
	state             ClusterState
	acceptor          Acceptor
	endTest           func(context.Context, provision.Store) error // nil: what restore tests leave behind stays
	leads             func(context.Context) (bool, error)          // one worker at a time reconciles complete records
	generationTimeout time.Duration
	metrics           *metrics
	log               *slog.Logger
	reconciled        time.Time      // when it last ended
	foreign           map[string]int // as it was logged last
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
	complete, err := b.records.Complete(ctx)
	if err != nil || (complete && time.Since(b.reconciled) < reconcileEvery) {
		return err
	}
	if complete {
		if lead, err := b.leads(ctx); err != nil || !lead {
			return err
		}
	}
	saved, err := b.list(ctx)
	if err != nil {
		return err
	}
	b.noteForeign(saved.Foreign)
	stores := saved.Stores
	restored, err := b.reconcile(ctx, stores)
	b.metrics.restored(restored)
	if err != nil {
		return err
	}
	b.reconciled = time.Now()
	b.endTests(ctx, saved.RestoreTests)
	if complete {
		return nil
	}
	b.log.Warn("the records were recovered from the cluster", "stores", len(stores), "restored", restored)
	return b.records.MarkComplete(ctx)
}

// noteForeign counts the stores of other installations, which are left alone, and logs them when their number has changed.
func (b *recoverer) noteForeign(foreign map[string]int) {
	if maps.Equal(foreign, b.foreign) {
		return
	}
	for installation := range b.foreign {
		b.metrics.foreignStores(installation, 0)
	}
	for _, installation := range slices.Sorted(maps.Keys(foreign)) {
		b.log.Warn("the cluster has stores of another installation; they are left alone, `worker adopt` takes them over",
			"installation", installation, "stores", foreign[installation])
		b.metrics.foreignStores(installation, foreign[installation])
	}
	b.foreign = foreign
}

// endTests removes what restore tests have left behind whose worker has ended without a word. What cannot be removed now is found again.
func (b *recoverer) endTests(ctx context.Context, tests []provision.SavedRestoreTest) {
	for _, test := range tests {
		if b.endTest == nil || time.Since(test.Began) < provision.RestoreTestTimeout {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, listTimeout)
		err := b.endTest(ctx, test.Store)
		cancel()
		b.log.Warn("a restore test that was left behind is removed", "store_id", test.Store.StoreID, "began", test.Began, "error", err)
	}
}

func (b *recoverer) list(ctx context.Context) (provision.SavedStores, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return b.state.ListStores(ctx)
}

// reconcile compares each store with its record, many at a time: it takes as long as it makes progress. A store that fails does not keep
// the others from it.
func (b *recoverer) reconcile(ctx context.Context, stores []provision.SavedState) (restored int, err error) {
	var count atomic.Int64
	err = forEach(ctx, stores, storesAtOnce, giveUpAfter, func(saved provision.SavedState) error {
		result, err := b.reconcileStore(ctx, saved)
		if result == record.Restored {
			count.Add(1)
		}
		return err
	})
	return int(count.Load()), err
}

func (b *recoverer) reconcileStore(ctx context.Context, saved provision.SavedState) (record.RestoreResult, error) {
	id, namespace := saved.Store.StoreID, saved.Store.Namespace
	found, err := b.records.Restore(ctx, b.cluster, saved, b.generationTimeout)
	if err != nil {
		return found.Result, fmt.Errorf("store %s: %w", id, err)
	}
	switch found.Result {
	case record.Restored:
	case record.RestoreKnown:
		return found.Result, b.saveAgain(ctx, saved, found)
	case record.RestoreLost:
		b.log.Debug("a store of a cluster that was given up is left alone", "store_id", id, "namespace", namespace)
	case record.RestoreOtherCluster:
		b.log.Error("a store that lives on another cluster has a namespace here too; it is left alone until an operator deletes it here or there",
			"store_id", id, "namespace", namespace)
	case record.RestoreLeftover:
		b.log.Warn("a namespace outlived its delete and is deleted again", "store_id", id, "namespace", namespace)
		remove := provision.Request{StoreID: id, Action: provision.OpDelete, Cluster: b.cluster}
		if _, err := b.acceptor.AcceptIf(ctx, remove, found.Newest); err != nil && provision.CodeOf(err) != provision.CodeSuperseded {
			return found.Result, fmt.Errorf("store %s: %w", id, err)
		}
	}
	return found.Result, nil
}

// saveAgain saves an outcome or its delivery that is on record and that the cluster does not know: its API server was away, or a worker ended before it
// had saved it.
func (b *recoverer) saveAgain(ctx context.Context, saved provision.SavedState, found record.Comparison) error {
	if found.Protected != saved.Store.Protected && found.Newest == saved.Store.Generation {
		if err := b.state.SaveProtected(ctx, saved.Store, found.Protected); err != nil {
			return fmt.Errorf("store %s: %w", saved.Store.StoreID, err)
		}
	}
	if found.Outcome == nil {
		return nil
	}
	if saved.Outcome == nil || saved.Assumed || saved.Outcome.Status != found.Outcome.Status {
		b.log.Info("an outcome is saved in the cluster, which did not know it", "store_id", saved.Store.StoreID, "status", found.Outcome.Status)
		if err := b.state.SaveOutcome(ctx, saved.Store, *found.Outcome); err != nil {
			return fmt.Errorf("store %s: %w", saved.Store.StoreID, err)
		}
		saved.Delivered = false
	}
	if !found.Delivered || saved.Delivered {
		return nil
	}
	if err := b.state.SaveDelivered(ctx, saved.Store, found.Outcome.Status); err != nil {
		return fmt.Errorf("store %s: %w", saved.Store.StoreID, err)
	}
	return nil
}

// saveState saves an outcome in the cluster too. Nothing depends on it but a recovery after Redis has lost its data: an outcome
// that was not saved is then found again by a run, or delivered twice. One that could not be saved is saved by the next reconciliation.
func saveState(ctx context.Context, log *slog.Logger, s provision.Store, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if err := write(ctx); err != nil {
		log.Warn("an outcome was not saved in the cluster yet; it is on record in Redis", "store_id", s.StoreID, "error", err)
	}
}

// clusterRecovery is the recovery of one of several clusters: it completes the records of that cluster only.
type clusterRecovery struct {
	*record.Recovery
	cluster string
}

// Complete reports whether the records of the cluster are complete.
func (c clusterRecovery) Complete(ctx context.Context) (bool, error) {
	return c.Recovery.ClusterComplete(ctx, c.cluster)
}

// MarkComplete declares the records of the cluster complete.
func (c clusterRecovery) MarkComplete(ctx context.Context) error {
	return c.Recovery.MarkClusterComplete(ctx, c.cluster)
}

// recoveryLeader lets one worker at a time reconcile the cluster: the one that did it last, while it lives.
func recoveryLeader(recovery *record.Recovery, cluster string) func(context.Context) (bool, error) {
	token := cluster + " " + rand.Text()
	return func(ctx context.Context) (bool, error) {
		return recovery.LeadRecovery(ctx, cluster, token, 2*reconcileEvery)
	}
}

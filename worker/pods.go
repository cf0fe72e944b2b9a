package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"orchestrator/worker/record"
)

const (
	unwellEvery = 30 * time.Second
	// unwellAfter is for how long pods are not available before their store is unwell: a node that is replaced, or a run, takes less.
	unwellAfter = 10 * time.Minute
)

// UnwellStores records which stores are unwell: [record.Fleet].
type UnwellStores interface {
	NoteUnwell(ctx context.Context, cluster string, why map[string]string) (ofRollout int, err error)
}

// unwellWatch watches the pods of one cluster's stores. Every worker that serves the cluster does it, and comes to the same result.
type unwellWatch struct {
	cluster string
	look    func() (map[string]string, error) // by namespace: which pods are not available
	records UnwellStores
	log     *slog.Logger
	since   map[string]time.Time // by namespace
}

// run watches until ctx ends. It records nothing before it has watched for as long as it takes to tell.
func (u *unwellWatch) run(ctx context.Context) {
	if u.look == nil {
		return
	}
	tick := time.NewTicker(unwellEvery)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		unwell, err := u.round()
		if err != nil || time.Since(began) < unwellAfter {
			continue // the informers have not read the cluster's state yet
		}
		u.record(ctx, unwell)
	}
}

// round returns which stores have been unwell for long.
func (u *unwellWatch) round() (map[string]string, error) {
	now, err := u.look()
	if err != nil {
		return nil, err
	}
	since, long := map[string]time.Time{}, map[string]string{}
	for namespace, why := range now {
		since[namespace] = time.Now()
		if first, known := u.since[namespace]; known {
			since[namespace] = first
		}
		if time.Since(since[namespace]) >= unwellAfter {
			long[namespace] = why
		}
	}
	u.since = since
	return long, nil
}

func (u *unwellWatch) record(ctx context.Context, unwell map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	n, err := u.records.NoteUnwell(ctx, u.cluster, unwell)
	switch {
	case err != nil && ctx.Err() == nil:
		u.log.Warn("which stores are unwell is not on record; it is tried again", "error", err)
	case n > 0:
		u.log.Error("stores that a rollout has upgraded are unwell", "stores", n)
	}
}

const (
	healEvery = 30 * time.Second
	healBatch = 100
)

// HealStore says which stores have failed and may be well by now: [record.Fleet].
type HealStore interface {
	DueHeals(ctx context.Context, cluster string, within time.Duration, n int) ([]record.Failed, error)
}

// healer has stores run once more that have failed and whose pods are ready by now: a volume was bound late, an image came back. The run finds a ready shop, and its
// READY follows the FAILED that was told. It changes nothing where the pods are not ready.
type healer struct {
	cluster  string
	within   time.Duration // after the failure; 0: there is no healing
	complete func(namespace string) bool
	records  HealStore
	queue    Queue
	log      *slog.Logger
}

// run goes on until ctx ends.
func (h *healer) run(ctx context.Context) {
	if h.within == 0 || h.complete == nil {
		return
	}
	eachTick(ctx, healEvery, h.log, "not all stores that have failed were looked at; the next round continues", h.round)
}

func (h *healer) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepLease)
	defer cancel()
	failed, err := h.records.DueHeals(ctx, h.cluster, h.within, healBatch)
	for _, f := range failed {
		if !h.complete(f.Namespace) {
			continue
		}
		h.log.Info("the pods of a store that has failed are ready; it runs once more", "store_id", f.Task.StoreID, "generation", f.Task.Generation)
		err = errors.Join(err, h.queue.Revive(ctx, f.Task, true))
	}
	return err
}

package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"orchestrator/worker/record"
)

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
	tick := time.NewTicker(healEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := h.round(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("not all stores that have failed were looked at; the next round continues", "error", err)
		}
	}
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

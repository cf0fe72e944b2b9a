package worker

import (
	"context"
	"log/slog"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

// Graves says which stores are to be deleted now: [record.Fleet].
type Graves interface {
	DueGraves(ctx context.Context, n int) ([]record.Grave, error)
}

// gravedigger has stores deleted whose grace is over. Every worker has one; that which sweeps does it.
type gravedigger struct {
	graves   Graves
	acceptor Acceptor
	leads    func(context.Context) (bool, error)
	log      *slog.Logger
}

// run goes on until ctx ends.
func (g *gravedigger) run(ctx context.Context) {
	eachTick(ctx, sweepEvery, g.log, "not all stores whose grace is over were deleted; it is tried again", func(ctx context.Context) error {
		return alone(ctx, g.leads, sweepLease, g.round)
	})
}

// round accepts the deletes that are due, if nothing was asked for in between.
func (g *gravedigger) round(ctx context.Context) error {
	due, err := g.graves.DueGraves(ctx, sweepBatch)
	if err != nil {
		return err
	}
	return forEach(ctx, due, storesAtOnce, giveUpAfter, func(one record.Grave) error {
		remove := provision.Request{StoreID: one.StoreID, Action: provision.OpDelete, RetainData: one.RetainData}
		_, err := g.acceptor.AcceptIf(ctx, remove, one.Generation)
		if code := provision.CodeOf(err); err != nil && (code == provision.CodeSuperseded || code == provision.CodeConflict) {
			g.log.Info("a store whose grace is over is kept", "store_id", one.StoreID, "cause", err)
			return nil
		}
		return err
	})
}

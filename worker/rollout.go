package worker

import (
	"context"
	"log/slog"
	"time"

	"orchestrator/worker/queue"
)

// RolloutSteps moves the rollout on: [record.Rollouts].
type RolloutSteps interface {
	Step(ctx context.Context) ([]queue.MaintenanceTask, error)
}

// rolloutEvery is how often the rollout is moved on.
const rolloutEvery = 2 * time.Second

// rolloutStepper enqueues the upgrades of the rollout. Every worker has one; that which sweeps does it.
type rolloutStepper struct {
	rollouts RolloutSteps
	queue    MaintenanceQueue
	leads    func(context.Context) (bool, error)
	log      *slog.Logger
}

// run goes on until ctx ends.
func (r *rolloutStepper) run(ctx context.Context) {
	tick := time.NewTicker(rolloutEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.step(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("the rollout was not moved on; the next step continues", "error", err)
		}
	}
}

func (r *rolloutStepper) step(ctx context.Context) error {
	if lead, err := r.leads(ctx); err != nil || !lead {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	tasks, err := r.rollouts.Step(ctx)
	if err != nil {
		return err
	}
	return forEach(ctx, tasks, storesAtOnce, giveUpAfter, func(t queue.MaintenanceTask) error { return r.queue.EnqueueMaintenance(ctx, t) })
}

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
	eachTick(ctx, rolloutEvery, r.log, "the rollout was not moved on; the next step continues", func(ctx context.Context) error {
		return alone(ctx, r.leads, redisTimeout, r.step)
	})
}

func (r *rolloutStepper) step(ctx context.Context) error {
	tasks, err := r.rollouts.Step(ctx)
	if err != nil {
		return err
	}
	return forEach(ctx, tasks, storesAtOnce, giveUpAfter, func(t queue.MaintenanceTask) error { return r.queue.EnqueueMaintenance(ctx, t) })
}

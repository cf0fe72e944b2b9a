package worker

import (
	"context"

	"github.com/hibiken/asynq"

	"orchestrator/worker/queue"
)

// Load is what there is to do.
type Load struct {
	InHand int                      // tasks that this worker has taken and not let go
	Queues map[string]queue.Backlog // what its queues hold, those in hand included
}

// Load asks for it. Whoever pays by the second lets a worker run only while there is some.
func (w *Worker) Load(ctx context.Context) (Load, error) {
	load := Load{InHand: int(w.inHand.Load()), Queues: map[string]queue.Backlog{}}
	for _, s := range w.servers {
		backlog, err := w.tasks.Backlog(ctx, s.queue)
		if err != nil {
			return load, err
		}
		load.Queues[s.queue] = backlog
	}
	return load, nil
}

// counted keeps count of what is in hand.
func (w *Worker) counted(next asynq.Handler) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		w.inHand.Add(1)
		defer w.inHand.Add(-1)
		return next.ProcessTask(ctx, t)
	})
}

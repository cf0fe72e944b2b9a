package worker

import (
	"context"

	"github.com/hibiken/asynq"

	"orchestrator/worker/queue"
)

// Load is what there is to do.
type Load struct {
	InFlight int           // tasks that this worker has taken and not finished
	Queues   []queue.Stats // of the queues that it serves
}

// Load returns it. A caller that pays by the second runs a worker only while there is some.
func (w *Worker) Load(ctx context.Context) (Load, error) {
	names := make([]string, len(w.servers))
	for i, s := range w.servers {
		names[i] = s.queue
	}
	queues, err := w.tasks.Stats(ctx, names...)
	return Load{InFlight: int(w.inFlight.Load()), Queues: queues}, err
}

// counted keeps count of the tasks in flight.
func (w *Worker) counted(next asynq.Handler) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		w.inFlight.Add(1)
		defer w.inFlight.Add(-1)
		return next.ProcessTask(ctx, t)
	})
}

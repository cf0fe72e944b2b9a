package worker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"orchestrator/worker/queue"
)

// Slots are how many tasks of each queue one worker handles at a time. They are cheap: a run holds its slot while it
// waits for pods. Maintenance may have none: this worker does not do it then.
type Slots struct{ Provision, Delete, Callback, Maintenance int }

// newServer serves one queue. Each has a server of its own, since a full queue must not hold up another.
func newServer(client redis.UniversalClient, queueName string, slots int, log *slog.Logger) *asynq.Server {
	return asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency:              slots,
		Queues:                   map[string]int{queueName: 1},
		RetryDelayFunc:           retryDelay,
		IsFailure:                isFailure,
		ShutdownTimeout:          ShutdownTimeout,
		TaskCheckInterval:        queue.LookEvery, // the client has wakeups
		DelayedTaskCheckInterval: time.Second,
		Logger:                   asynqLog{log.With("queue", queueName)},
		LogLevel:                 asynq.InfoLevel,
	})
}

// handlerFor is the mux of one queue: a task of another type is a stranger.
func handlerFor(queueName string, h asynq.Handler) asynq.Handler {
	mux := asynq.NewServeMux()
	mux.Handle(queue.TypeOf(queueName), h)
	return mux
}

// asynqLog sends asynq's log lines through slog. Its start and stop are of no interest.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug(line(args)) }
func (l asynqLog) Info(args ...any)  { l.log.Debug(line(args)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn(line(args)) }
func (l asynqLog) Error(args ...any) { l.log.Error(line(args)) }

// Fatal is called by asynq where it would end the process; it does not here.
func (l asynqLog) Fatal(args ...any) { l.log.Error(line(args)) }

func line(args []any) string { return "asynq: " + strings.TrimSpace(fmt.Sprint(args...)) }

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

// counted keeps count of the tasks in flight, of all and of those of one queue.
func (w *Worker) counted(next asynq.Handler, used prometheus.Gauge) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		w.inFlight.Add(1)
		defer w.inFlight.Add(-1)
		used.Inc()
		defer used.Dec()
		return next.ProcessTask(ctx, t)
	})
}

package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"orchestrator/worker/queue"
)

// Config is what a worker is made of. All fields are required.
type Config struct {
	Server  redis.UniversalClient // for asynq's servers alone: queue.ForServer
	Records *queue.Records
	Tasks   *queue.Tasks

	Runner    Runner
	Passwords Passwords
	Sender    Sender

	Limits   Limits
	Slots    Slots
	Poll     time.Duration // how often an idle queue is asked; a second is slow, 50 ms costs Redis 50 commands a second
	Progress bool          // tell PROVISIONING and DELETING too
	Metrics  prometheus.Registerer
	Log      *slog.Logger
}

// Worker takes tasks until it is stopped.
type Worker struct {
	servers []server
	sweeper *sweeper
	gate    *gate
	records *queue.Records
	stop    context.CancelCauseFunc
	log     *slog.Logger
}

type server struct {
	*asynq.Server
	handler asynq.Handler
}

// New wires a worker. It reports limits that contradict each other, and touches nothing.
func New(c Config) (*Worker, error) {
	if err := c.Limits.Validate(); err != nil {
		return nil, err
	}
	stopped, stop := context.WithCancelCause(context.Background())
	m := newMetrics(c.Metrics)
	w := &Worker{gate: newGate(c.Records, c.Progress, c.Log), records: c.Records, stop: stop, log: c.Log}
	h := &runs{gate: w.gate, runner: c.Runner, speaker: &speaker{c.Records, c.Tasks, c.Log}, journal: c.Records,
		limits: c.Limits, metrics: m, log: c.Log, stop: stopped}
	d := &deliveries{turns: c.Records, passwords: c.Passwords, sender: c.Sender, acceptor: &queue.Intake{Records: c.Records, Tasks: c.Tasks, Patience: c.Limits.Patience, Log: c.Log},
		limits: c.Limits, metrics: m, log: c.Log, stop: stopped, now: time.Now}
	for _, s := range []struct {
		queue   string
		slots   int
		handler asynq.Handler
	}{
		{queue.QueueProvision, c.Slots.Provision, h},
		{queue.QueueDelete, c.Slots.Delete, h},
		{queue.QueueCallback, c.Slots.Callback, d},
	} {
		w.servers = append(w.servers, server{newServer(c.Server, s.queue, s.slots, c.Poll, c.Log), handlerFor(s.queue, s.handler)})
	}
	w.sweeper = newSweeper(c.Records, c.Tasks, c.Tasks, m, c.Log)
	return w, nil
}

// Run takes tasks until ctx ends, and returns when every run has let go: waits end at once, a call to Helm that is in
// hand ends by itself, and the tasks go back uncounted. It takes at most ShutdownTimeout for that. A worker runs once.
func (w *Worker) Run(ctx context.Context) error {
	var background sync.WaitGroup
	background.Go(func() { w.sweeper.run(ctx) })
	background.Go(func() { w.records.Newest(ctx, w.gate.changed) })
	err := w.start()
	if err == nil {
		<-ctx.Done()
	}
	w.drain()
	background.Wait()
	return err
}

func (w *Worker) start() error {
	for i, s := range w.servers {
		if err := s.Start(s.handler); err != nil {
			w.servers = w.servers[:i]
			return err
		}
	}
	return nil
}

// drain stops taking first, so that nothing that is let go comes back to this worker.
func (w *Worker) drain() {
	for _, s := range w.servers {
		s.Stop()
	}
	w.stop(errStopping)
	var ending sync.WaitGroup
	for _, s := range w.servers {
		ending.Go(s.Shutdown)
	}
	ending.Wait()
}

// Check reports whether the worker can do its work: Redis answers.
func (w *Worker) Check(ctx context.Context) error {
	return w.records.Ping(ctx)
}

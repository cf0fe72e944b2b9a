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
	Memory    Memory
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
	servers   []server
	sweeper   *sweeper
	rebuilder *rebuilder
	gate      *gate
	records   *queue.Records
	stop      context.CancelCauseFunc
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
	c.Records = c.Records.Limited(c.Limits.PerCreator)
	stopped, stop := context.WithCancelCause(context.Background())
	m := newMetrics(c.Metrics)
	intake := &queue.Intake{Records: c.Records, Tasks: c.Tasks, Patience: c.Limits.Patience, Log: c.Log}
	w := &Worker{gate: newGate(c.Records, c.Progress, c.Log), records: c.Records, stop: stop}
	w.sweeper = newSweeper(c.Records, c.Tasks, c.Tasks, m, c.Log)
	w.rebuilder = &rebuilder{records: c.Records, memory: c.Memory, acceptor: intake, leads: w.sweeper.leads,
		patience: c.Limits.Patience, log: c.Log}
	h := &runs{gate: w.gate, runner: c.Runner, speaker: &speaker{c.Records, c.Tasks, c.Memory, c.Log}, journal: c.Records,
		limits: c.Limits, metrics: m, log: c.Log, stop: stopped}
	d := &deliveries{turns: c.Records, passwords: c.Passwords, memory: c.Memory, sender: c.Sender, acceptor: intake,
		limits: c.Limits, metrics: m, log: c.Log, stop: stopped, now: time.Now}
	serve := func(queueName string, slots int, h asynq.Handler) {
		w.servers = append(w.servers, server{newServer(c.Server, queueName, slots, c.Poll, c.Log), handlerFor(queueName, h)})
	}
	serve(queue.QueueProvision, c.Slots.Provision, h)
	serve(queue.QueueDelete, c.Slots.Delete, h)
	serve(queue.QueueCallback, c.Slots.Callback, d)
	return w, nil
}

// Run takes tasks until ctx ends, and returns when every run has let go: waits end at once, a call to Helm that is in
// hand ends by itself, and the tasks go back uncounted. It takes at most ShutdownTimeout for that. A worker runs once.
func (w *Worker) Run(ctx context.Context) error {
	var background sync.WaitGroup
	background.Go(func() { w.sweeper.run(ctx) })
	background.Go(func() { w.rebuilder.run(ctx) })
	background.Go(func() { w.gate.payDebts(ctx) })
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

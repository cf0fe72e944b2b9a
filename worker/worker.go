package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
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

	Clusters []Cluster // that this worker serves, at least one
	Sender   Sender

	Limits   Limits
	Slots    Slots         // for each cluster
	Poll     time.Duration // how often an idle queue is asked; a second is slow, 50 ms costs Redis 50 commands a second
	Progress bool          // tell PROVISIONING and DELETING too
	Metrics  prometheus.Registerer
	Log      *slog.Logger
}

// Worker takes tasks until it is stopped.
type Worker struct {
	servers    []server
	clusters   []Cluster
	sweeper    *sweeper
	rebuilders []*rebuilder
	lookouts   []*lookout
	gate       *gate
	records    *queue.Records
	tasks      *queue.Tasks
	inHand     atomic.Int64
	stop       context.CancelCauseFunc
}

type server struct {
	*asynq.Server
	queue   string
	handler asynq.Handler
}

// New wires a worker. It reports limits that contradict each other, and touches nothing.
func New(c Config) (*Worker, error) {
	if err := errors.Join(c.Limits.Validate(), validate(c.Clusters)); err != nil {
		return nil, err
	}
	c.Records = c.Records.Limited(c.Limits.PerCreator)
	stopped, stop := context.WithCancelCause(context.Background())
	m := newMetrics(c.Metrics)
	c.Metrics.MustRegister(newDepths(c.Tasks.Depths, c.Log))
	intake := &queue.Intake{Records: c.Records, Tasks: c.Tasks, Patience: c.Limits.Patience, Log: c.Log}
	w := &Worker{gate: newGate(c.Records, c.Progress, c.Log), records: c.Records, tasks: c.Tasks, clusters: c.Clusters, stop: stop}
	w.sweeper = newSweeper(c.Records, c.Tasks, c.Tasks, m, c.Log)
	for _, on := range c.Clusters {
		w.serve(stopped, c, on, intake, m.on(on.Name))
	}
	return w, nil
}

// serve adds all that serves one cluster: what is slow there must be slow there only.
func (w *Worker) serve(stopped context.Context, c Config, on Cluster, intake *queue.Intake, m *metrics) {
	log, name := on.log(c.Log), on.id()
	h := &runs{cluster: name, gate: w.gate, runner: on.Runner, speaker: &speaker{c.Records, c.Tasks, on.Memory, log}, journal: c.Records,
		limits: c.Limits, metrics: m, log: log, stop: stopped}
	d := &deliveries{cluster: name, turns: c.Records, queue: c.Tasks, passwords: on.Passwords, memory: on.Memory, sender: c.Sender,
		acceptor: intake, limits: c.Limits, metrics: m, log: log, stop: stopped, now: time.Now}
	add := func(base string, slots int, h asynq.Handler) {
		queueName := queue.On(base, name)
		w.servers = append(w.servers, server{newServer(c.Server, queueName, slots, c.Poll, c.Log), queueName, w.counted(handlerFor(queueName, h))})
	}
	add(queue.QueueProvision, c.Slots.Provision, h)
	add(queue.QueueDelete, c.Slots.Delete, h)
	add(queue.QueueCallback, c.Slots.Callback, d)

	b := &rebuilder{cluster: name, records: c.Records, memory: on.Memory, acceptor: intake, leads: w.sweeper.leads,
		patience: c.Limits.Patience, log: log}
	if on.Name != "" {
		b.records, b.leads = oneOf{c.Records, name}, surveyor(c.Records, name)
	}
	w.rebuilders = append(w.rebuilders, b)
	w.lookouts = append(w.lookouts, &lookout{cluster: on, records: c.Records, up: m.up, log: log})
}

// Run takes tasks until ctx ends, and returns when every run has let go: waits end at once, a call to Helm that is in
// hand ends by itself, and the tasks go back uncounted. It takes at most ShutdownTimeout for that. A worker runs once.
func (w *Worker) Run(ctx context.Context) error {
	var background sync.WaitGroup
	background.Go(func() { w.sweeper.run(ctx) })
	for _, b := range w.rebuilders {
		background.Go(func() { b.run(ctx) })
	}
	for _, l := range w.lookouts {
		background.Go(func() { l.run(ctx) })
	}
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

// Check reports whether the worker can do its work: Redis answers, and one of its clusters does. The others are not waited
// for.
func (w *Worker) Check(ctx context.Context) error {
	if err := w.records.Ping(ctx); err != nil {
		return err
	}
	return anyAnswers(ctx, w.clusters)
}

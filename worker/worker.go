// Package worker decides when a store is run, how often, and which outcome is reported to the backend.
//
// A task names a generation of a store. Its handler acquires the store's lease, lets a [Runner] carry the operation out,
// records the outcome, and only then finishes the task; a callback task delivers the outcome to the backend; the sweeper
// enqueues what a crash has left without a task. Nothing here knows Kubernetes.
//
// The words, each used for one thing only:
//
//	store            what the backend asks for: a shop, by its store_id
//	request          what the backend asked of a store, whole; accepted requests are recorded
//	generation       the number of an accepted request; the newest one of a store supersedes the older ones
//	run              one attempt to carry out a generation: provision or delete
//	lease            the right to run a store, held by one run at a time (worker/record: Runs)
//	fence            refuses writes of a run whose lease may have expired (provision.Fence)
//	step             a part of a run: namespace, credentials, release, ready, verify, volumes
//	outcome          how a generation ended: READY, FAILED, DELETED or DELETE_FAILED, with a code and a text
//	record           what Redis holds of a store, and what decides (worker/record)
//	journal          the steps of a store; it is shown and never decides
//	callback         the POST that tells the backend an outcome or progress
//	claim            the right to deliver the callbacks of a store, held by one delivery at a time
//	delivered        confirmed by the backend with a 2xx
//	dead letter      a callback that the backend has refused; an operator may replay it
//	outstanding      without an outcome, or with pending callbacks: what the sweeper inspects
//	creator queue    the new stores of one creator, of which a limited number has a slot; the others are throttled
//	saved state      what a store's namespace says about it, from which a lost record is restored
//	recovery         restoring the records from the clusters; until then the records are incomplete
//	task, queue      asynq's (worker/queue); a task carries ids only
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

	"orchestrator/provision"
	"orchestrator/worker/gauges"
	"orchestrator/worker/intake"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/tracing"
)

// Config is what a worker is made of. All fields are required but Progress and Tracer.
type Config struct {
	Redis  redis.UniversalClient // for records and tasks: redisconn.FailFast
	Server redis.UniversalClient // for asynq's servers alone: redisconn.RetryToDeadline

	Clusters []Cluster // that this worker serves, at least one
	Sender   Sender

	Limits  Limits
	Slots   Slots // for each cluster
	Audit   AuditPolicy
	Backups record.BackupPolicy
	// RestoreTests say how often a backup of each store is restored to prove it.
	RestoreTests record.BackupPolicy
	Poll         time.Duration   // how often an idle queue is polled, for tasks that no message tells of
	Engines      []string        // of the installation; what is counted by engine has no other names
	Progress     bool            // also call back with PROVISIONING and DELETING
	Tracer       *tracing.Tracer // nil: no traces
	Metrics      prometheus.Registerer
	Log          *slog.Logger
}

// Worker takes tasks until it is stopped.
type Worker struct {
	config     Config
	records    *record.Records
	tasks      *queue.Tasks
	intake     *intake.Intake
	servers    []server
	sweeper    *sweeper
	auditor    *auditor
	backups    []*backupScheduler
	rollout    *rolloutStepper
	unwell     []*unwellWatch
	healers    []*healer
	graves     *gravedigger
	recoverers []*recoverer
	probes     []*clusterProbe
	leases     *leaseManager
	wakeups    *queue.Wakeups
	inFlight   atomic.Int64
	stop       context.CancelCauseFunc
}

type server struct {
	*asynq.Server
	queue   string
	handler asynq.Handler
}

// New wires a worker. It reports limits that contradict each other, and opens no connection.
func New(c Config) (*Worker, error) {
	if err := errors.Join(c.Limits.Validate(), validate(c.Clusters)); err != nil {
		return nil, err
	}
	stopped, stop := context.WithCancelCause(context.Background())
	w := &Worker{config: c, records: record.New(c.Redis, record.Options{CreatorLimit: c.Limits.CreatorLimit, HoldAfter: c.Limits.HoldAfter, Heal: c.Limits.HealFailed > 0}), tasks: queue.NewTasks(c.Redis), stop: stop}
	w.intake = &intake.Intake{Records: w.records, Tasks: w.tasks, GenerationTimeout: c.Limits.GenerationTimeout, Log: c.Log}
	w.wakeups = queue.NewWakeups(c.Poll)
	c.Server.AddHook(w.wakeups)
	w.tasks.Enqueued = w.wakeups.Enqueued
	w.leases = newLeaseManager(w.records.Runs, c.Progress, c.Log)
	m := newMetrics(c.Metrics, c.Engines...)
	c.Metrics.MustRegister(gauges.Queues(w.tasks, c.Log), gauges.Orphans(w.records.Requests, c.Log), gauges.Holds(w.records.Fleet, c.Log),
		gauges.Findings(w.records.Fleet, c.Log), gauges.Rollout(w.records.Rollouts, c.Log), gauges.Backups(w.records.Backups, c.Engines, c.Backups.Every, c.Log),
		gauges.RestoreTests(w.records.Backups, c.Engines, c.RestoreTests.Every, c.Log),
		gauges.Statistics(w.records.Stats, c.Engines, clusterIDs(c.Clusters), c.Log), gauges.Redis(w.records.Stats, "worker", c.Log))
	w.sweeper = newSweeper(w.records.Recovery, w.tasks, w.tasks, w.records.Runs, m, c.Log)
	w.auditor = &auditor{policy: c.Audit, pass: w.records.Fleet, queue: w.tasks, names: maintenanceQueues(c.Clusters), leads: w.sweeper.leads, log: c.Log}
	for _, policy := range []record.BackupPolicy{c.Backups, c.RestoreTests} {
		w.backups = append(w.backups, &backupScheduler{policy: policy, schedule: w.records.Backups, queue: w.tasks, leads: w.sweeper.leads, log: c.Log})
	}
	w.graves = &gravedigger{graves: w.records.Fleet, acceptor: w.intake, leads: w.sweeper.leads, log: c.Log}
	w.rollout = &rolloutStepper{rollouts: w.records.Rollouts, queue: w.tasks, leads: w.sweeper.leads, log: c.Log}
	for _, cluster := range c.Clusters {
		w.serve(stopped, cluster, m.on(cluster.Name))
		w.watch(cluster, m.on(cluster.Name))
	}
	w.serveAny(stopped, m)
	return w, nil
}

// serve adds the servers of one cluster's queues: a slow cluster must delay its own stores only.
func (w *Worker) serve(stopped context.Context, cluster Cluster, m *metrics) {
	c, log, name := w.config, cluster.log(w.config.Log), cluster.id()
	m.begin()
	outcomes := &outcomeRecorder{outcomes: w.records.Runs, pending: w.records.Callbacks, queue: w.tasks, state: cluster.State, log: log}
	runs := &runHandler{cluster: name, leases: w.leases, runner: cluster.Runner, outcomes: outcomes, journal: w.records.Runs,
		limits: c.Limits, metrics: m, tracer: c.Tracer, log: log, stop: stopped}
	callbacks := &callbackHandler{cluster: name, claims: w.records.Callbacks, kept: w.records.Callbacks, queue: w.tasks, passwords: cluster.Passwords, state: cluster.State,
		sender: c.Sender, acceptor: w.intake, limits: c.Limits, metrics: m, tracer: c.Tracer, log: log, stop: stopped, now: time.Now}
	add := func(base string, slots int, h asynq.Handler) {
		queueName := queue.On(base, name)
		w.servers = append(w.servers, server{newServer(c.Server, queueName, slots, c.Log), queueName, w.counted(handlerFor(queueName, h), m.serves(queueName, slots))})
	}
	add(queue.QueueProvision, c.Slots.Provision, runs)
	add(queue.QueueDelete, c.Slots.Delete, runs)
	add(queue.QueueCallback, c.Slots.Callback, callbacks)
	if c.Slots.Maintenance > 0 {
		add(queue.QueueMaintenance, c.Slots.Maintenance, &maintenanceHandler{cluster: name, leases: w.leases, records: w.records.Runs, maintainer: cluster.Maintainer,
			upgrades: w.records.Rollouts, backups: w.records.Backups, retry: min(c.Backups.Every, backupRetry), retryTest: min(c.RestoreTests.Every, testRetry), atOnce: c.Backups.AtOnce, limits: c.Limits, repair: c.Audit.Repair, pace: c.Audit.pace(), metrics: m, log: log, stop: stopped})
	}
}

// serveAny adds the server of the callbacks that are bound to no cluster, where clusters have names.
func (w *Worker) serveAny(stopped context.Context, m *metrics) {
	c, states := w.config, clusterStates{}
	for _, cluster := range c.Clusters {
		states[cluster.id()] = cluster.State
	}
	if _, only := states[provision.DefaultCluster]; only && len(states) == 1 {
		return
	}
	callbacks := &callbackHandler{cluster: provision.AnyCluster, claims: w.records.Callbacks, kept: w.records.Callbacks, queue: w.tasks, state: states,
		sender: c.Sender, acceptor: w.intake, limits: c.Limits, metrics: m, tracer: c.Tracer, log: c.Log, stop: stopped, now: time.Now}
	name := queue.On(queue.QueueCallback, provision.AnyCluster)
	m = m.on(provision.AnyCluster)
	m.callbacksBegin()
	callbacks.metrics = m
	w.servers = append(w.servers, server{newServer(c.Server, name, c.Slots.Callback, c.Log), name, w.counted(handlerFor(name, callbacks), m.serves(name, c.Slots.Callback))})
}

// watch adds what reconciles one cluster with the records and probes it.
func (w *Worker) watch(cluster Cluster, m *metrics) {
	log, name := cluster.log(w.config.Log), cluster.id()
	r := &recoverer{cluster: name, records: w.records.Recovery, state: cluster.State, acceptor: w.intake, leads: w.sweeper.leads, endTest: cluster.EndRestoreTest,
		generationTimeout: w.config.Limits.GenerationTimeout, metrics: m, log: log}
	if cluster.Name != "" {
		r.records, r.leads = clusterRecovery{w.records.Recovery, name}, recoveryLeader(w.records.Recovery, name)
	}
	w.recoverers = append(w.recoverers, r)
	w.unwell = append(w.unwell, &unwellWatch{cluster: name, look: cluster.Unwell, records: w.records.Fleet, log: log})
	w.healers = append(w.healers, &healer{cluster: name, within: w.config.Limits.HealFailed, complete: cluster.Complete, records: w.records.Fleet, queue: w.tasks, log: log})
	w.probes = append(w.probes, &clusterProbe{cluster: cluster, records: w.records.Recovery, up: m.up(), log: log})
}

// Run takes tasks until ctx ends, and returns when every run has released its lease: waits end at once, a call to Helm
// in progress ends by itself, and the tasks go back uncounted. It takes at most ShutdownTimeout for that. A worker runs once.
//
// It returns an error if it cannot begin to take tasks.
func (w *Worker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	background.Go(func() { w.sweeper.run(ctx) })
	background.Go(func() { w.auditor.run(ctx) })
	for _, b := range w.backups {
		background.Go(func() { b.run(ctx) })
	}
	background.Go(func() { w.rollout.run(ctx) })
	background.Go(func() { w.graves.run(ctx) })
	for _, h := range w.healers {
		background.Go(func() { h.run(ctx) })
	}
	for _, u := range w.unwell {
		background.Go(func() { u.run(ctx) })
	}
	for _, b := range w.recoverers {
		background.Go(func() { b.run(ctx) })
	}
	for _, l := range w.probes {
		background.Go(func() { l.run(ctx) })
	}
	background.Go(func() { w.leases.retryReleases(ctx) })
	background.Go(func() { w.records.Runs.Watch(ctx, w.leases.renewNow, w.wakeups.Announced) })
	err := w.start()
	if err == nil {
		<-ctx.Done()
	}
	cancel() // what runs beside the servers ends too
	w.drain()
	background.Wait()
	w.leases.releaseAll(lastReleases)
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

// drain stops taking tasks first, so that none that it gives back returns to this worker.
func (w *Worker) drain() {
	w.wakeups.Stop()
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

// Check reports whether the worker can do its work: Redis answers, and so does one of its clusters. It does not wait for the
// others.
func (w *Worker) Check(ctx context.Context) error {
	if err := w.records.Requests.Ping(ctx); err != nil {
		return err
	}
	return anyHealthy(ctx, w.config.Clusters)
}

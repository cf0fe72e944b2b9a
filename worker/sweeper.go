package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

const (
	sweepEvery   = 5 * time.Second
	sweepLease   = 20 * time.Second
	sweepBatch   = 500
	inspectEvery = 30 * time.Second
)

// SweepLease lets one worker at a time sweep: [record.Recovery].
type SweepLease interface {
	LeadSweep(ctx context.Context, token string, lease time.Duration) (bool, error)
	ResignSweep(ctx context.Context, token string) error
}

// SweepStore tells what is outstanding, and ends the stores of clusters that were given up: [record.Recovery].
type SweepStore interface {
	SweepLease
	Due(ctx context.Context, n int, again time.Duration) ([]string, error)
	Inspect(ctx context.Context, storeID string) (record.Outstanding, error)
	EndLostStores(ctx context.Context, n int) (ended int, more bool, err error)
}

// OrphanQueue requeues the tasks of dead workers: [queue.Tasks].
type OrphanQueue interface {
	Queues(ctx context.Context) ([]string, error)
	RequeueOrphans(ctx context.Context, queue string) (ids []string, err error)
}

// ExpiringRuns are runs that only record that their time is over: [record.Runs].
type ExpiringRuns interface {
	RunLeases
	Outcomes
}

// sweeper enqueues what a crash has left without a task: accepted generations, outcomes that were not delivered, and the tasks
// of dead workers. Every worker has one; a lease lets one of them sweep.
type sweeper struct {
	store   SweepStore
	orphans OrphanQueue
	queue   Queue
	runs    ExpiringRuns
	metrics *metrics
	log     *slog.Logger
	token   string
	atOnce  int
}

func newSweeper(store SweepStore, orphans OrphanQueue, q Queue, runs ExpiringRuns, m *metrics, log *slog.Logger) *sweeper {
	return &sweeper{store: store, orphans: orphans, queue: q, runs: runs, metrics: m, log: log, token: rand.Text(), atOnce: storesAtOnce}
}

// run sweeps until ctx ends, and then lets another worker go on at once.
func (s *sweeper) run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the sweep failed in part; the next one continues", "error", err)
		}
		select {
		case <-ctx.Done():
			s.resign(context.WithoutCancel(ctx))
			return
		case <-tick.C:
		}
	}
}

// eachTick does something at each tick until ctx ends. What fails is logged, with what follows, and done at the next tick.
func eachTick(ctx context.Context, every time.Duration, log *slog.Logger, failed string, do func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := do(ctx); err != nil && ctx.Err() == nil {
			log.Warn(failed, "error", err)
		}
	}
}

// alone does something, within a time, if this worker is the one that sweeps.
func alone(ctx context.Context, leads func(context.Context) (bool, error), limit time.Duration, do func(context.Context) error) error {
	if lead, err := leads(ctx); err != nil || !lead {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}

// leads takes or keeps the lease that lets one worker at a time sweep.
func (s *sweeper) leads(ctx context.Context) (bool, error) {
	return s.store.LeadSweep(ctx, s.token, sweepLease)
}

func (s *sweeper) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := s.store.ResignSweep(ctx, s.token); err != nil {
		s.log.Debug("the sweeper's lease was not released; it expires", "error", err)
	}
}

// sweep is one round: it ends when nothing is due. A store that fails does not keep the others from being inspected.
func (s *sweeper) sweep(ctx context.Context) error {
	lead, err := s.leads(ctx)
	if err != nil || !lead {
		return err
	}
	start := time.Now()
	err = s.sweepAll(ctx)
	s.metrics.sweepEnded(time.Since(start), err)
	return err
}

// sweepAll is a sweep of the worker that leads.
func (s *sweeper) sweepAll(ctx context.Context) error {
	errs := []error{s.requeueOrphans(ctx), s.endLostStores(ctx)}
	for {
		due, err := s.inspectDue(ctx)
		errs = append(errs, err)
		if due < sweepBatch { // a store that failed does not keep the next ones from it
			return errors.Join(errs...)
		}
		if lead, err := s.leads(ctx); err != nil || !lead {
			return errors.Join(append(errs, err)...)
		}
	}
}

func (s *sweeper) requeueOrphans(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepLease)
	defer cancel()
	queues, err := s.orphans.Queues(ctx)
	errs := []error{err}
	for _, q := range queues {
		ids, err := s.orphans.RequeueOrphans(ctx, q)
		errs = append(errs, err)
		for _, id := range ids {
			s.log.Warn("requeued the task of a dead worker", "task_id", id, "queue", q)
		}
		s.metrics.rescued(q, len(ids))
	}
	return errors.Join(errs...)
}

// endLostStores ends the stores of clusters that were given up, until there are no more or it is another worker's turn.
func (s *sweeper) endLostStores(ctx context.Context) error {
	for {
		ended, more, err := s.store.EndLostStores(ctx, sweepBatch)
		s.metrics.swept(sweptLost, ended)
		if ended > 0 {
			s.log.Warn("stores of a cluster that was given up were ended", "stores", ended)
		}
		if err != nil || !more {
			return err
		}
		if lead, err := s.leads(ctx); err != nil || !lead {
			return err
		}
	}
}

// inspectDue inspects stores that are due, many at a time, and returns how many.
func (s *sweeper) inspectDue(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepLease)
	defer cancel()
	ids, err := s.store.Due(ctx, sweepBatch, inspectEvery)
	if err != nil {
		return 0, err
	}
	s.metrics.swept(sweptInspected, len(ids))
	return len(ids), forEach(ctx, ids, s.atOnce, sweepBatch, func(id string) error { return s.inspect(ctx, id) })
}

// inspect makes sure that everything the store waits for has a task that will be executed.
func (s *sweeper) inspect(ctx context.Context, storeID string) error {
	open, err := s.store.Inspect(ctx, storeID)
	if err != nil {
		return err
	}
	for _, task := range open.Runs {
		if open.Overdue {
			if ended, failed := s.expire(ctx, task); ended || failed != nil {
				err = errors.Join(err, failed)
				continue
			}
		}
		err = errors.Join(err, s.queue.Revive(ctx, task, open.TryNow))
	}
	if len(open.Callbacks) > 0 {
		err = errors.Join(err, s.queue.ReviveCallback(ctx, open.Callbacks[0], false))
	}
	return err
}

// expire ends a generation that is past its deadline and has no run: a run would do the same, but if the workers of its
// cluster are gone, none comes. It reports ended if nothing of the generation is left to be run.
func (s *sweeper) expire(ctx context.Context, task queue.Task) (ended bool, err error) {
	result, run, err := s.runs.Acquire(ctx, task, rand.Text(), leaseTTL, false)
	if err != nil || result != record.Acquired {
		return false, err
	}
	var next []queue.Task
	end := record.RunEnd{}
	if run.TimeLeft <= 0 {
		var outcome record.OutcomeResult
		outcome, next, err = s.runs.RecordOutcome(ctx, run, task.Op.Failure(), provision.CodeTimeout, provision.Public(errGenerationTimeout)+", and no worker of its cluster runs it")
		ended = err == nil && outcome == record.OutcomeRecorded
		end.Ended = ended
	}
	_, failed := s.runs.Release(ctx, run, end)
	err = errors.Join(err, failed)
	if ended {
		s.metrics.swept(sweptExpired, 1)
		s.metrics.on(task.Cluster).ended(run, task.Op.Failure(), provision.CodeTimeout)
		s.log.Warn("a store past its deadline was ended without a run", "store_id", task.StoreID, "generation", task.Generation, "op", task.Op, "cluster", task.Cluster)
	}
	for _, task := range next {
		err = errors.Join(err, s.queue.Revive(ctx, task, true))
	}
	return ended, err
}

package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"orchestrator/worker/record"
)

const (
	sweepEvery   = 5 * time.Second
	sweepLease   = 20 * time.Second
	sweepBatch   = 500
	inspectEvery = 30 * time.Second
)

// SweepStore tells what is outstanding: [record.Recovery].
type SweepStore interface {
	LeadSweep(ctx context.Context, token string, lease time.Duration) (bool, error)
	Due(ctx context.Context, n int, again time.Duration) ([]string, error)
	Inspect(ctx context.Context, storeID string) (record.Outstanding, error)
	ResignSweep(ctx context.Context, token string) error
}

// OrphanQueue requeues the tasks of dead workers: [queue.Tasks].
type OrphanQueue interface {
	Queues(ctx context.Context) ([]string, error)
	RequeueOrphans(ctx context.Context, queue string) (ids []string, err error)
}

// sweeper enqueues what a crash has left without a task: accepted generations, outcomes that were not delivered, and the tasks
// of dead workers. Every worker has one; a lease lets one of them sweep.
type sweeper struct {
	store   SweepStore
	orphans OrphanQueue
	queue   Queue
	metrics *metrics
	log     *slog.Logger
	token   string
}

func newSweeper(ledger SweepStore, rescuer OrphanQueue, q Queue, m *metrics, log *slog.Logger) *sweeper {
	return &sweeper{store: ledger, orphans: rescuer, queue: q, metrics: m, log: log, token: rand.Text()}
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

// sweep is one round. A store that fails does not keep the others from being inspected.
func (s *sweeper) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepLease)
	defer cancel()
	lead, err := s.leads(ctx)
	if err != nil || !lead {
		return err
	}
	var errs []error
	queues, err := s.orphans.Queues(ctx)
	errs = append(errs, err)
	for _, q := range queues {
		ids, err := s.orphans.RequeueOrphans(ctx, q)
		errs = append(errs, err)
		for _, id := range ids {
			s.log.Warn("requeued the task of a dead worker", "task_id", id, "queue", q)
		}
		s.metrics.orphaned(q, len(ids))
	}
	ids, err := s.store.Due(ctx, sweepBatch, inspectEvery)
	errs = append(errs, err)
	for _, id := range ids {
		errs = append(errs, s.inspect(ctx, id))
	}
	return errors.Join(errs...)
}

// inspect makes sure that everything the store waits for has a task that will be executed.
func (s *sweeper) inspect(ctx context.Context, storeID string) error {
	open, err := s.store.Inspect(ctx, storeID)
	if err != nil {
		return err
	}
	for _, task := range open.Runs {
		err = errors.Join(err, s.queue.Revive(ctx, task, open.TryNow))
	}
	if len(open.Callbacks) > 0 {
		err = errors.Join(err, s.queue.ReviveCallback(ctx, open.Callbacks[0], false))
	}
	return err
}

package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"orchestrator/worker/queue"
)

const (
	sweepEvery = 5 * time.Second
	sweepLease = 20 * time.Second
	sweepBatch = 500
	lookAgain  = 30 * time.Second
)

// Ledger is the sweeper's side of the records.
type Ledger interface {
	Lead(ctx context.Context, token string, lease time.Duration) (bool, error)
	Due(ctx context.Context, n int, again time.Duration) ([]string, error)
	Look(ctx context.Context, storeID string) (queue.Open, error)
	Resign(ctx context.Context, token string) error
}

// Rescuer hands back the tasks of dead workers.
type Rescuer interface {
	Queues(ctx context.Context) ([]string, error)
	Rescue(ctx context.Context, queue string) (ids []string, err error)
}

// sweeper speaks for the dead: whatever was accepted and has no task, was decided and not told, or hangs on a worker
// that is gone. Every worker has one; a lease lets one of them sweep.
type sweeper struct {
	ledger  Ledger
	rescuer Rescuer
	queue   Queue
	metrics *metrics
	log     *slog.Logger
	token   string
}

func newSweeper(ledger Ledger, rescuer Rescuer, q Queue, m *metrics, log *slog.Logger) *sweeper {
	return &sweeper{ledger: ledger, rescuer: rescuer, queue: q, metrics: m, log: log, token: rand.Text()}
}

// run sweeps until ctx ends, and then lets another worker go on at once.
func (s *sweeper) run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the sweep did not end; the next one goes on", "error", err)
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
	return s.ledger.Lead(ctx, s.token, sweepLease)
}

func (s *sweeper) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	if err := s.ledger.Resign(ctx, s.token); err != nil {
		s.log.Debug("the sweeper's lease was not given back; it ends by itself", "error", err)
	}
}

// sweep is one round. What fails for one store does not keep the others from being looked at.
func (s *sweeper) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepLease)
	defer cancel()
	lead, err := s.leads(ctx)
	if err != nil || !lead {
		return err
	}
	var errs []error
	queues, err := s.rescuer.Queues(ctx)
	errs = append(errs, err)
	for _, q := range queues {
		ids, err := s.rescuer.Rescue(ctx, q)
		errs = append(errs, err)
		for _, id := range ids {
			s.log.Warn("handed back the task of a worker that is gone", "task_id", id, "queue", q)
		}
		s.metrics.rescued(q, len(ids))
	}
	ids, err := s.ledger.Due(ctx, sweepBatch, lookAgain)
	errs = append(errs, err)
	for _, id := range ids {
		errs = append(errs, s.look(ctx, id))
	}
	return errors.Join(errs...)
}

// look makes sure that everything the store waits for has a task that will be executed.
func (s *sweeper) look(ctx context.Context, storeID string) error {
	open, err := s.ledger.Look(ctx, storeID)
	if err != nil {
		return err
	}
	for _, task := range open.Runs {
		err = errors.Join(err, s.queue.Revive(ctx, task, open.Soon))
	}
	if len(open.Calls) > 0 {
		err = errors.Join(err, s.queue.ReviveCall(ctx, open.Calls[0], false))
	}
	return err
}

// Package drain runs a worker until the queues are empty, or until an invocation of AWS Lambda has to end.
package drain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker"
)

// MinMargin is how long before the end of an invocation a worker has to be stopped. It may need [worker.ShutdownTimeout] to
// finish a Helm call, and its connections and the report need a moment more. A Helm call that is cut off leaves a release
// pending.
const MinMargin = worker.ShutdownTimeout + 10*time.Second

// minWork is the shortest time for which a worker is started.
const minWork = 5 * time.Second

const pollInterval = time.Second

// Worker is a worker that has not run yet.
type Worker interface {
	Run(ctx context.Context) error // runs until ctx ends and all tasks are returned to the queues
	Load(ctx context.Context) (worker.Load, error)
	Close()
}

// Drainer drains the queues, once per invocation.
type Drainer struct {
	Open   func(ctx context.Context) (Worker, prometheus.Gatherer, error)
	Margin time.Duration // how long before the end of the invocation the worker is stopped
	// Measure is given what the worker has counted, before its connections are closed; nil: nothing is.
	Measure func(prometheus.Gatherer) error
	Idle    time.Duration // the drain ends after this time without work; work that is due that soon is waited for
}

// Drain runs a worker until the queues are empty or until Margin before ctx's deadline. It returns after the worker has ended.
func (d Drainer) Drain(ctx context.Context) (Report, error) {
	begun := time.Now()
	until, err := d.stopTime(ctx)
	if err != nil {
		return Report{}, err
	}
	working, stop := context.WithDeadline(ctx, until)
	defer stop()
	w, metrics, err := d.Open(working)
	if err != nil {
		return Report{}, fmt.Errorf("nothing was drained: %w", err)
	}
	defer w.Close()
	if _, err := w.Load(working); err != nil {
		return Report{}, fmt.Errorf("nothing was drained: %w", err)
	}
	idle := d.stopWhenIdle(working, w, stop)
	err = w.Run(working)
	stop()
	r := Report{Ended: "deadline", Seconds: time.Since(begun).Seconds()}
	if <-idle {
		r.Ended = "idle"
	}
	return r, errors.Join(err, r.countOutcomes(metrics), r.recordRemaining(ctx, w), d.measure(metrics))
}

func (d Drainer) measure(metrics prometheus.Gatherer) error {
	if d.Measure == nil {
		return nil
	}
	return d.Measure(metrics)
}

// stopTime returns when the worker has to be stopped.
func (d Drainer) stopTime(ctx context.Context) (time.Time, error) {
	deadline, limited := ctx.Deadline()
	if !limited {
		return time.Time{}, errors.New("the invocation has no deadline")
	}
	until := deadline.Add(-d.Margin)
	if left := time.Until(until); left < minWork {
		return time.Time{}, fmt.Errorf("the function's timeout is too short to drain: %s are left, and the last %s are reserved for stopping the worker (ORCH_LAMBDA_MARGIN); set the timeout to 15 minutes",
			time.Until(deadline).Round(time.Second), d.Margin)
	}
	return until, nil
}

// stopWhenIdle calls stop after there has been no work for the time Idle. The channel then delivers true, or false if ctx ended
// before.
func (d Drainer) stopWhenIdle(ctx context.Context, w Worker, stop func()) <-chan bool {
	idle := make(chan bool, 1)
	go func() {
		tick := time.NewTicker(pollInterval)
		defer tick.Stop()
		busy := time.Now()
		for {
			select {
			case <-ctx.Done():
				idle <- false
				return
			case <-tick.C:
			}
			switch load, err := w.Load(ctx); {
			case ctx.Err() == nil && d.busy(load, err):
				busy = time.Now()
			case time.Since(busy) >= d.Idle:
				stop()
				idle <- true
				return
			}
		}
	}()
	return idle
}

// busy reports whether this worker has work now or soon. During an outage of Redis only its own runs count: the next invocation
// continues after the outage.
func (d Drainer) busy(load worker.Load, err error) bool {
	if err != nil {
		return load.InFlight > 0
	}
	soon := time.Now().Add(d.Idle)
	for _, q := range load.Queues {
		if !q.Paused && (q.Pending > 0 || !q.NextRetry.IsZero() && q.NextRetry.Before(soon)) {
			return true
		}
	}
	return load.InFlight > 0
}

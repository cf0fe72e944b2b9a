// Package drain lets a worker run for as long as one invocation of AWS Lambda may take and there is something to do.
package drain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker"
)

// LeastMargin is how long before an invocation's end a worker has to be stopped: it may take [worker.ShutdownTimeout] to
// let go of a release that is half-way, and its connections and the report take a moment more. What is cut off before is
// a release that stays pending.
const LeastMargin = worker.ShutdownTimeout + 10*time.Second

// leastWork is the shortest time that is worth a worker's start.
const leastWork = 5 * time.Second

const lookEvery = time.Second

// Worker is a worker that was not run yet.
type Worker interface {
	Run(ctx context.Context) error // until ctx ends and all is let go
	Load(ctx context.Context) (worker.Load, error)
	Close()
}

// Drainer drains the queues, once per call.
type Drainer struct {
	Open   func(ctx context.Context) (Worker, prometheus.Gatherer, error)
	Margin time.Duration // before the end of the invocation
	Idle   time.Duration // without anything to do, now or that soon, ends it
}

// Drain works until the queues are empty or ctx's deadline is as near as the margin. When it returns nothing goes on.
func (d Drainer) Drain(ctx context.Context) (Report, error) {
	begun := time.Now()
	until, err := d.until(ctx)
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
	idle := d.watch(working, w, stop)
	err = w.Run(working)
	stop()
	r := Report{Ended: "deadline", Seconds: time.Since(begun).Seconds()}
	if <-idle {
		r.Ended = "idle"
	}
	return r, errors.Join(err, r.count(metrics), r.leave(ctx, w))
}

// until is when the worker has to stop.
func (d Drainer) until(ctx context.Context) (time.Time, error) {
	deadline, limited := ctx.Deadline()
	if !limited {
		return time.Time{}, errors.New("the invocation has no deadline, so that nobody knows when to stop")
	}
	until := deadline.Add(-d.Margin)
	if left := time.Until(until); left < leastWork {
		return time.Time{}, fmt.Errorf("the function's timeout is too short to drain: %s of it are left, of which the last %s are kept for letting go (ORCH_LAMBDA_MARGIN); set the timeout to 15 minutes",
			time.Until(deadline).Round(time.Second), d.Margin)
	}
	return until, nil
}

// watch calls stop once there has been nothing to do for a while. The channel then says true, and false when the worker
// ended for another reason.
func (d Drainer) watch(ctx context.Context, w Worker, stop func()) <-chan bool {
	idle := make(chan bool, 1)
	go func() {
		tick := time.NewTicker(lookEvery)
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

// busy reports whether there is something that this worker does or will soon. What Redis does not tell is nothing: an
// outage is waited for by the next invocation.
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

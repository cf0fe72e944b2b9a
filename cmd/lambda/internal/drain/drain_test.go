package drain

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker"
	"orchestrator/worker/queue"
)

// script is a worker whose load changes with the time since its start.
type script struct {
	load    func(since time.Duration) (worker.Load, error)
	stopsIn time.Duration
	begun   time.Time
	stopped time.Time
	closed  bool
}

func (s *script) Run(ctx context.Context) error {
	<-ctx.Done()
	time.Sleep(s.stopsIn)
	s.stopped = time.Now()
	return nil
}
func (s *script) Load(context.Context) (worker.Load, error) { return s.load(time.Since(s.begun)) }
func (s *script) Close()                                    { s.closed = true }

// drained runs a drain in an invocation with this timeout, and returns after which time the worker stopped.
func drained(t *testing.T, s *script, timeout time.Duration) (r Report, stopped time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	s.begun = time.Now()
	d := Drainer{Margin: MinMargin, Idle: 10 * time.Second, Open: func(context.Context) (Worker, prometheus.Gatherer, error) {
		return s, prometheus.NewRegistry(), nil
	}}
	r, err = d.Drain(ctx)
	if ctx.Err() != nil {
		t.Errorf("the invocation was over before the drain was")
	}
	return r, s.stopped.Sub(s.begun), err
}

func of(q queue.Stats, inFlight int) worker.Load {
	q.Queue = "provision"
	return worker.Load{InFlight: inFlight, Queues: []queue.Stats{q, {Queue: "callback"}}}
}

func TestDrainEndsWithoutWork(t *testing.T) {
	for what, c := range map[string]struct {
		load func(since time.Duration, begun time.Time) worker.Load
		want time.Duration // until the worker stops
	}{
		"nothing at all": {func(time.Duration, time.Time) worker.Load { return of(queue.Stats{}, 0) }, 10 * time.Second},
		"a run of a minute": {func(since time.Duration, _ time.Time) worker.Load {
			if since < time.Minute {
				return of(queue.Stats{Active: 1}, 1)
			}
			return of(queue.Stats{}, 0)
		}, 69 * time.Second},
		"a callback that is due in half an hour": {func(_ time.Duration, begun time.Time) worker.Load {
			return of(queue.Stats{Retry: 1, NextRetry: begun.Add(30 * time.Minute)}, 0)
		}, 10 * time.Second},
		"a retry that is due soon": {func(since time.Duration, begun time.Time) worker.Load {
			if since < 15*time.Second {
				return of(queue.Stats{Retry: 1, NextRetry: begun.Add(15 * time.Second)}, 0)
			}
			return of(queue.Stats{}, 0)
		}, 24 * time.Second},
		"a run of another worker": {func(time.Duration, time.Time) worker.Load { return of(queue.Stats{Active: 3}, 0) }, 10 * time.Second},
		"a queue that an operator has paused": {func(_ time.Duration, begun time.Time) worker.Load {
			return of(queue.Stats{Pending: 3, Retry: 1, NextRetry: begun, Paused: true}, 0)
		}, 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{}
			s.load = func(since time.Duration) (worker.Load, error) { return c.load(since, s.begun), nil }
			r, stopped, err := drained(t, s, 15*time.Minute)
			if err != nil || r.Ended != "idle" || stopped != c.want || !s.closed {
				t.Errorf("%s: %+v after %s, %v", what, r, stopped, err)
			}
		})
	}
}

func TestDrainStopsTheWorkerAtItsMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{stopsIn: worker.ShutdownTimeout, load: func(time.Duration) (worker.Load, error) {
			return of(queue.Stats{Pending: 2, Active: 1, Retry: 3}, 1), nil
		}}
		r, stopped, err := drained(t, s, 15*time.Minute)
		if err != nil || stopped != 15*time.Minute-MinMargin+worker.ShutdownTimeout || !s.closed {
			t.Errorf("stopped after %s, %v", stopped, err)
		}
		want := Report{Ended: "deadline", Seconds: stopped.Seconds(), Runs: map[string]int{}, Callbacks: map[string]int{},
			Remaining: map[string]Remaining{"provision": {Pending: 2, Active: 1, Retry: 3}, "callback": {}}}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDrainEndsAtAnOutageOfRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{load: func(since time.Duration) (worker.Load, error) {
			if since < 20*time.Second {
				return of(queue.Stats{Pending: 1}, 0), nil
			}
			return worker.Load{}, errors.New("Redis does not answer")
		}}
		_, stopped, err := drained(t, s, 15*time.Minute)
		if stopped != 29*time.Second || err == nil || !strings.Contains(err.Error(), "Redis does not answer") || !s.closed {
			t.Errorf("after %s: %v", stopped, err)
		}
	})
}

func TestDrainStartsNoWorkerWithoutTimeToStopIt(t *testing.T) {
	s := &script{load: func(time.Duration) (worker.Load, error) { return worker.Load{}, errors.New("Redis does not answer") }}
	if _, _, err := drained(t, s, MinMargin+minWork-time.Second); err == nil || !strings.Contains(err.Error(), "timeout is too short") || s.closed {
		t.Errorf("%v", err)
	}
	if _, err := (Drainer{}).Drain(t.Context()); err == nil {
		t.Error("an invocation without an end was begun")
	}
	if _, _, err := drained(t, s, time.Hour); err == nil || !s.stopped.IsZero() || !s.closed {
		t.Errorf("a worker ran without its Redis: %v", err)
	}
}

func TestReportCountsOutcomes(t *testing.T) {
	reg := prometheus.NewRegistry()
	runs := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_run_duration_seconds"}, []string{"op", "outcome"})
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_callback_duration_seconds"}, []string{"status", "outcome"})
	reg.MustRegister(runs, calls)
	runs.WithLabelValues("provision", "READY").Observe(1)
	runs.WithLabelValues("provision", "READY").Observe(1)
	runs.WithLabelValues("delete", "unavailable").Observe(1)
	calls.WithLabelValues("READY", "delivered").Observe(1)
	var r Report
	if err := r.countOutcomes(reg); err != nil {
		t.Fatal(err)
	}
	want := Report{Runs: map[string]int{"provision READY": 2, "delete unavailable": 1}, Callbacks: map[string]int{"READY delivered": 1}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

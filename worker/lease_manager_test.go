package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

var task = queue.Task{Op: provision.OpProvision, StoreID: "s", Generation: 7}

// entered enters a gate whose record is r, and leaves it when the test ends.
func entered(t *testing.T, r *records) (*leaseManager, *lease) {
	t.Helper()
	g := newLeaseManager(r, false, quiet())
	entry, p, err := g.acquire(t.Context(), task)
	if err != nil || entry != record.Acquired {
		t.Fatalf("%s, %v", entry, err)
	}
	return g, p
}

// answers says one entry until from, and another one after it.
func answers(first record.AcquireResult, from time.Duration, then record.AcquireResult) func(string) (record.AcquireResult, record.Run, error) {
	start := time.Now()
	return func(token string) (record.AcquireResult, record.Run, error) {
		if time.Since(start) < from {
			return first, record.Run{}, nil
		}
		return then, aRun(token), nil
	}
}

func TestTheGateIsWaitedFor(t *testing.T) {
	for _, full := range []record.AcquireResult{record.AcquireHeld, record.AcquireWaiting} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.enter = answers(full, 3*time.Second, record.Acquired)
			start := time.Now()
			g, p := entered(t, r)
			if took := time.Since(start); took != 3*time.Second {
				t.Errorf("%s: entered after %s", full, took)
			}
			g.release(p, record.RunEnd{})
			slices.Sort(r.tokens)
			if n := len(slices.Compact(r.tokens)); n != 1 {
				t.Errorf("%s: one entry used %d tokens", full, n)
			}
		})
	}
}

func TestTheGateIsNotWaitedForForEver(t *testing.T) {
	for _, full := range []record.AcquireResult{record.AcquireHeld, record.AcquireWaiting} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.enter = answers(full, time.Hour, record.Acquired)
			start := time.Now()
			entry, p, err := newLeaseManager(r, false, quiet()).acquire(t.Context(), task)
			if entry != full || p != nil || err != nil || time.Since(start) != acquireTimeout {
				t.Errorf("%s, %v after %s", entry, err, time.Since(start))
			}
		})
	}
}

func TestWhatNeedsNoWaitingIsSaidAtOnce(t *testing.T) {
	for _, entry := range []record.AcquireResult{record.AcquireSuperseded, record.AcquireDone, record.AcquireNoRecord, record.AcquireThrottled} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.enter = answers(entry, time.Hour, record.Acquired)
			start := time.Now()
			got, p, err := newLeaseManager(r, false, quiet()).acquire(t.Context(), task)
			if got != entry || p != nil || err != nil || time.Since(start) != 0 || r.count("enter") != 1 {
				t.Errorf("%s: got %s, %v after %s", entry, got, err, time.Since(start))
			}
		})
	}
}

func TestWaitingEndsWithTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.enter = answers(record.AcquireHeld, time.Hour, record.Acquired)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if entry, p, _ := newLeaseManager(r, false, quiet()).acquire(ctx, task); entry != record.AcquireHeld || p != nil || time.Since(start) != time.Second {
			t.Errorf("%s after %s", entry, time.Since(start))
		}
	})
}

// An answer on its way is waited for: it may be the gate.
func TestAnEntryInHandIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := newRecords()
		cancel()
		g := newLeaseManager(r, false, quiet())
		entry, p, err := g.acquire(ctx, task)
		if entry != record.Acquired || err != nil {
			t.Fatalf("%s, %v", entry, err)
		}
		wantCause(t, p, nil)
		g.release(p, record.RunEnd{})
	})
}

// The script may have taken the gate although its answer was lost. Nobody would renew that lease, and the next run
// would take its token for the one of a run that crashed.
func TestAnEntryWhoseAnswerWasLostIsGivenBack(t *testing.T) {
	r, lost := newRecords(), provision.Errorf(provision.CodeUnavailable, "i/o timeout")
	r.enter = func(string) (record.AcquireResult, record.Run, error) { return "", record.Run{}, lost }
	for _, r.leave = range []error{nil, errors.New("away too")} {
		r.tokens, r.exits = nil, nil
		_, p, err := newLeaseManager(r, false, quiet()).acquire(t.Context(), task)
		if err != lost || p != nil {
			t.Errorf("%v", err)
		}
		if len(r.tokens) != 2 || r.tokens[0] != r.tokens[1] || len(r.exits) != 1 || r.exits[0] != (record.RunEnd{}) {
			t.Errorf("tokens %v, exits %v", r.tokens, r.exits)
		}
	}
}

func TestLeavingIsReportedOnceAndEndsThePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.leave = errors.New("away")
		g, p := entered(t, r)
		g.release(p, record.RunEnd{Counted: true})
		if r.count("leave s") != 1 || r.exits[0] != (record.RunEnd{Counted: true}) || len(g.active) != 0 {
			t.Errorf("left %d times with %v", r.count("leave s"), r.exits)
		}
		if p.ctx.Err() == nil {
			t.Error("the run's context lives on")
		}
		time.Sleep(time.Minute)
		if r.count("renew") != 0 {
			t.Error("a pass that was left is renewed")
		}
	})
}

// The run that lost its lease leaves when its successor, in the same process, is inside already.
func TestLeavingLateDoesNotShowAnotherOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		g, old := entered(t, r)
		_, young, _ := g.acquire(t.Context(), task)
		g.release(old, record.RunEnd{})
		r.renews(always(record.RenewSuperseded))
		g.renewNow("s")
		synctest.Wait()
		if context.Cause(young.ctx) != errSuperseded {
			t.Error("the run inside is not found any more")
		}
		g.release(young, record.RunEnd{})
	})
}

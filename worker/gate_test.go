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
)

var task = queue.Task{Op: provision.OpProvision, StoreID: "s", Generation: 7}

// entered enters a gate whose record is r, and leaves it when the test ends.
func entered(t *testing.T, r *records) (*gate, *pass) {
	t.Helper()
	g := newGate(r, false, quiet())
	entry, p, err := g.enter(t.Context(), task)
	if err != nil || entry != queue.Entered {
		t.Fatalf("%s, %v", entry, err)
	}
	return g, p
}

// answers says one entry until from, and another one after it.
func answers(first queue.Entry, from time.Duration, then queue.Entry) func(string) (queue.Entry, queue.Run, error) {
	start := time.Now()
	return func(token string) (queue.Entry, queue.Run, error) {
		if time.Since(start) < from {
			return first, queue.Run{}, nil
		}
		return then, aRun(token), nil
	}
}

func TestTheGateIsWaitedFor(t *testing.T) {
	for _, full := range []queue.Entry{queue.Held, queue.Waiting} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.enter = answers(full, 3*time.Second, queue.Entered)
			start := time.Now()
			g, p := entered(t, r)
			if took := time.Since(start); took != 3*time.Second {
				t.Errorf("%s: entered after %s", full, took)
			}
			g.leave(p, queue.Exit{})
			slices.Sort(r.tokens)
			if n := len(slices.Compact(r.tokens)); n != 1 {
				t.Errorf("%s: one entry used %d tokens", full, n)
			}
		})
	}
}

func TestTheGateIsNotWaitedForForEver(t *testing.T) {
	for _, full := range []queue.Entry{queue.Held, queue.Waiting} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.enter = answers(full, time.Hour, queue.Entered)
			start := time.Now()
			entry, p, err := newGate(r, false, quiet()).enter(t.Context(), task)
			if entry != full || p != nil || err != nil || time.Since(start) != enterWait {
				t.Errorf("%s, %v after %s", entry, err, time.Since(start))
			}
		})
	}
}

func TestWhatNeedsNoWaitingIsSaidAtOnce(t *testing.T) {
	for _, entry := range []queue.Entry{queue.Superseded, queue.Done, queue.Gone, queue.Parked} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.enter = answers(entry, time.Hour, queue.Entered)
			start := time.Now()
			got, p, err := newGate(r, false, quiet()).enter(t.Context(), task)
			if got != entry || p != nil || err != nil || time.Since(start) != 0 || r.count("enter") != 1 {
				t.Errorf("%s: got %s, %v after %s", entry, got, err, time.Since(start))
			}
		})
	}
}

func TestWaitingEndsWithTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.enter = answers(queue.Held, time.Hour, queue.Entered)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if entry, p, _ := newGate(r, false, quiet()).enter(ctx, task); entry != queue.Held || p != nil || time.Since(start) != time.Second {
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
		g := newGate(r, false, quiet())
		entry, p, err := g.enter(ctx, task)
		if entry != queue.Entered || err != nil {
			t.Fatalf("%s, %v", entry, err)
		}
		wantCause(t, p, nil)
		g.leave(p, queue.Exit{})
	})
}

// The script may have taken the gate although its answer was lost. Nobody would renew that lease, and the next run
// would take its token for the one of a run that crashed.
func TestAnEntryWhoseAnswerWasLostIsGivenBack(t *testing.T) {
	r, lost := newRecords(), provision.Errorf(provision.CodeUnavailable, "i/o timeout")
	r.enter = func(string) (queue.Entry, queue.Run, error) { return "", queue.Run{}, lost }
	for _, r.leave = range []error{nil, errors.New("away too")} {
		r.tokens, r.exits = nil, nil
		_, p, err := newGate(r, false, quiet()).enter(t.Context(), task)
		if err != lost || p != nil {
			t.Errorf("%v", err)
		}
		if len(r.tokens) != 2 || r.tokens[0] != r.tokens[1] || len(r.exits) != 1 || r.exits[0] != (queue.Exit{}) {
			t.Errorf("tokens %v, exits %v", r.tokens, r.exits)
		}
	}
}

func TestLeavingIsReportedOnceAndEndsThePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.leave = errors.New("away")
		g, p := entered(t, r)
		g.leave(p, queue.Exit{Counted: true})
		if r.count("leave s") != 1 || r.exits[0] != (queue.Exit{Counted: true}) || len(g.inside) != 0 {
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
		_, young, _ := g.enter(t.Context(), task)
		g.leave(old, queue.Exit{})
		r.renews(always(queue.Overtaken))
		g.changed("s")
		synctest.Wait()
		if context.Cause(young.ctx) != errOvertaken {
			t.Error("the run inside is not found any more")
		}
		g.leave(young, queue.Exit{})
	})
}

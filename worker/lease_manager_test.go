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

// acquired acquires a lease from a manager over r.
func acquired(t *testing.T, r *records) (*leaseManager, *lease) {
	t.Helper()
	m := newLeaseManager(r, false, quiet())
	result, l, err := m.acquire(t.Context(), task)
	if err != nil || result != record.Acquired {
		t.Fatalf("%s, %v", result, err)
	}
	return m, l
}

// acquireAfter returns the first result until from has passed, and then the other one.
func acquireAfter(first record.AcquireResult, from time.Duration, then record.AcquireResult) func(string) (record.AcquireResult, record.Run, error) {
	start := time.Now()
	return func(token string) (record.AcquireResult, record.Run, error) {
		if time.Since(start) < from {
			return first, record.Run{}, nil
		}
		return then, aRun(token), nil
	}
}

func TestLeaseManagerAcquireWaits(t *testing.T) {
	for _, full := range []record.AcquireResult{record.AcquireHeld, record.AcquireWaiting} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.acquire = acquireAfter(full, 3*time.Second, record.Acquired)
			start := time.Now()
			m, l := acquired(t, r)
			if took := time.Since(start); took != 3*time.Second {
				t.Errorf("%s: acquired after %s", full, took)
			}
			m.release(l, record.RunEnd{})
			slices.Sort(r.tokens)
			if n := len(slices.Compact(r.tokens)); n != 1 {
				t.Errorf("%s: one acquisition used %d tokens", full, n)
			}
		})
	}
}

func TestLeaseManagerAcquireTimesOut(t *testing.T) {
	for _, full := range []record.AcquireResult{record.AcquireHeld, record.AcquireWaiting} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.acquire = acquireAfter(full, time.Hour, record.Acquired)
			start := time.Now()
			result, l, err := newLeaseManager(r, false, quiet()).acquire(t.Context(), task)
			if result != full || l != nil || err != nil || time.Since(start) != acquireTimeout {
				t.Errorf("%s, %v after %s", result, err, time.Since(start))
			}
		})
	}
}

func TestLeaseManagerAcquireReturnsOtherResultsAtOnce(t *testing.T) {
	for _, result := range []record.AcquireResult{record.AcquireSuperseded, record.AcquireDone, record.AcquireNoRecord, record.AcquireThrottled} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords()
			r.acquire = acquireAfter(result, time.Hour, record.Acquired)
			start := time.Now()
			got, l, err := newLeaseManager(r, false, quiet()).acquire(t.Context(), task)
			if got != result || l != nil || err != nil || time.Since(start) != 0 || r.count("acquire") != 1 {
				t.Errorf("%s: got %s, %v after %s", result, got, err, time.Since(start))
			}
		})
	}
}

func TestLeaseManagerAcquireEndsWithTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.acquire = acquireAfter(record.AcquireHeld, time.Hour, record.Acquired)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if result, l, _ := newLeaseManager(r, false, quiet()).acquire(ctx, task); result != record.AcquireHeld || l != nil || time.Since(start) != time.Second {
			t.Errorf("%s after %s", result, time.Since(start))
		}
	})
}

// An answer on its way is waited for: it may be the lease.
func TestLeaseManagerAcquireIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := newRecords()
		cancel()
		m := newLeaseManager(r, false, quiet())
		result, l, err := m.acquire(ctx, task)
		if result != record.Acquired || err != nil {
			t.Fatalf("%s, %v", result, err)
		}
		wantCause(t, l, nil)
		m.release(l, record.RunEnd{})
	})
}

// The script may have taken the lease although its answer was lost. No run would renew it, and the next run
// would take its token for the one of a run that crashed.
func TestLeaseManagerAcquireReleasesWhatItMayHaveAcquired(t *testing.T) {
	r, lost := newRecords(), provision.Errorf(provision.CodeUnavailable, "i/o timeout")
	r.acquire = func(string) (record.AcquireResult, record.Run, error) { return "", record.Run{}, lost }
	for _, r.releaseErr = range []error{nil, errors.New("away too")} {
		r.tokens, r.ends = nil, nil
		_, l, err := newLeaseManager(r, false, quiet()).acquire(t.Context(), task)
		if err != lost || l != nil {
			t.Errorf("%v", err)
		}
		if len(r.tokens) != 2 || r.tokens[0] != r.tokens[1] || len(r.ends) != 1 || r.ends[0] != (record.RunEnd{}) {
			t.Errorf("tokens %v, run ends %v", r.tokens, r.ends)
		}
	}
}

func TestLeaseManagerReleaseEndsTheLeaseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.releaseErr = errors.New("away")
		m, l := acquired(t, r)
		m.release(l, record.RunEnd{Counted: true})
		if r.count("release s") != 1 || r.ends[0] != (record.RunEnd{Counted: true}) || len(m.active) != 0 {
			t.Errorf("released %d times with %v", r.count("release s"), r.ends)
		}
		if l.ctx.Err() == nil {
			t.Error("the run's context lives on")
		}
		time.Sleep(time.Minute)
		if r.count("renew") != 0 {
			t.Error("a released lease is renewed")
		}
	})
}

// The run that lost its lease is released when its successor, in the same process, is active already.
func TestLeaseManagerReleaseKeepsTheNextLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		m, old := acquired(t, r)
		_, young, _ := m.acquire(t.Context(), task)
		m.release(old, record.RunEnd{})
		r.renews(always(record.RenewSuperseded))
		m.renewNow("s")
		synctest.Wait()
		if context.Cause(young.ctx) != errSuperseded {
			t.Error("the active run is not found any more")
		}
		m.release(young, record.RunEnd{})
	})
}

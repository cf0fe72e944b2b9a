package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

var errAway = errors.New("Redis is away")

// withLease runs a test in a bubble, with a lease that was acquired at its start.
func withLease(t *testing.T, test func(t *testing.T, r *records, m *leaseManager, l *lease)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		m, l := acquired(t, r)
		defer m.release(l, record.RunEnd{})
		test(t, r, m, l)
	})
}

func renewals(r *records, since time.Time) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var at []time.Duration
	for _, renewed := range r.renewals {
		at = append(at, renewed.Sub(since))
	}
	return at
}

func wantCause(t *testing.T, l *lease, want error) {
	t.Helper()
	synctest.Wait()
	if got := context.Cause(l.ctx); got != want {
		t.Errorf("the run's context says %v, want %v", got, want)
	}
}

func TestLeaseIsRenewedEveryTenSeconds(t *testing.T) {
	withLease(t, func(t *testing.T, r *records, _ *leaseManager, l *lease) {
		start := time.Now()
		time.Sleep(35 * time.Second)
		if diff := cmp.Diff([]time.Duration{10e9, 20e9, 30e9}, renewals(r, start)); diff != "" {
			t.Error(diff)
		}
		if err := l.Check(); err != nil {
			t.Error(err)
		}
		wantCause(t, l, nil)
	})
}

func TestLeaseRenewNowSeesANewerRequest(t *testing.T) {
	withLease(t, func(t *testing.T, r *records, m *leaseManager, l *lease) {
		time.Sleep(time.Second)
		r.renews(always(record.RenewSuperseded))
		m.renewNow("another")
		wantCause(t, l, nil)
		for range 5 {
			m.renewNow("s")
		}
		wantCause(t, l, errSuperseded)
	})
}

func TestLeaseRenewNowWithoutANewerRequestChangesNothing(t *testing.T) {
	withLease(t, func(t *testing.T, r *records, m *leaseManager, l *lease) {
		start := time.Now()
		time.Sleep(5 * time.Second)
		m.renewNow("s")
		time.Sleep(12 * time.Second)
		if diff := cmp.Diff([]time.Duration{5e9, 15e9}, renewals(r, start)); diff != "" {
			t.Error(diff)
		}
		wantCause(t, l, nil)
	})
}

func TestLeaseRenewalSeesANewerRequest(t *testing.T) {
	withLease(t, func(t *testing.T, r *records, _ *leaseManager, l *lease) {
		r.renews(always(record.RenewSuperseded))
		time.Sleep(renewEvery)
		wantCause(t, l, errSuperseded)
	})
}

// Supersede and SIGTERM wait for the call to Helm in progress: it keeps its lease and its fence.
func TestLeaseIsKeptUntilACancelledRunEnds(t *testing.T) {
	for name, end := range map[string]func(*records, *lease){
		"superseded": func(r *records, _ *lease) {
			r.renews(always(record.RenewSuperseded))
		},
		"stopping": func(_ *records, l *lease) { l.cancel(errStopping) },
	} {
		withLease(t, func(t *testing.T, r *records, m *leaseManager, l *lease) {
			end(r, l)
			for range 5 {
				time.Sleep(renewEvery)
				synctest.Wait()
				if err := l.Check(); err != nil {
					t.Fatalf("%s: a call in progress is fenced: %v", name, err)
				}
			}
			if l.ctx.Err() == nil {
				t.Errorf("%s: the run goes on", name)
			}
			if n := len(renewals(r, time.Now())); n != 5 {
				t.Errorf("%s: %d renewals", name, n)
			}
		})
	}
}

func TestLeaseOfARunThatNeverEndsIsLost(t *testing.T) {
	withLease(t, func(t *testing.T, r *records, m *leaseManager, l *lease) {
		l.cancel(errStopping)
		time.Sleep(helmTimeout + fenceAfter + time.Second)
		if l.Check() != errLeaseLost {
			t.Error("a run that never goes keeps its store for ever")
		}
	})
}

func TestLeaseLostEndsTheRunAtOnce(t *testing.T) {
	withLease(t, func(t *testing.T, r *records, _ *leaseManager, l *lease) {
		r.renews(always(record.RenewLost))
		time.Sleep(renewEvery)
		wantCause(t, l, errLeaseLost)
		if l.Check() != errLeaseLost {
			t.Error("the fence is open although another run may hold the lease")
		}
	})
}

// However Redis is away, the fence closes before the lease can be taken by another, and the run has to go.
func TestLeaseCheckFailsInTimeWithoutRedis(t *testing.T) {
	for name, away := range map[string]func(context.Context) (record.RenewResult, error){
		"refuses": func(context.Context) (record.RenewResult, error) { return "", errAway },
		"hangs":   func(ctx context.Context) (record.RenewResult, error) { <-ctx.Done(); return "", ctx.Err() },
	} {
		withLease(t, func(t *testing.T, r *records, _ *leaseManager, l *lease) {
			time.Sleep(renewEvery)
			synctest.Wait()
			r.renews(away)
			time.Sleep(fenceAfter)
			synctest.Wait()
			if err := l.Check(); err != nil {
				t.Errorf("%s: fenced too early: %v", name, err)
			}
			time.Sleep(time.Millisecond)
			if l.Check() != errLeaseLost {
				t.Errorf("%s: not fenced %s after the last good renewal", name, fenceAfter)
			}
			time.Sleep(leaseTTL - fenceAfter - 2*time.Millisecond)
			wantCause(t, l, errLeaseLost)
		})
	}
}

func TestLeaseSurvivesAShortOutage(t *testing.T) {
	withLease(t, func(t *testing.T, r *records, _ *leaseManager, l *lease) {
		start := time.Now()
		r.renews(func(context.Context) (record.RenewResult, error) {
			if time.Since(start) < 20*time.Second {
				return "", errAway
			}
			return record.Renewed, nil
		})
		time.Sleep(35 * time.Second)
		if err := l.Check(); err != nil {
			t.Error(err)
		}
		wantCause(t, l, nil)
		if n := len(renewals(r, start)); n != 10+1+1 { // every second from 10 s to 19 s, at 20 s and at 30 s
			t.Errorf("%d renewals", n)
		}
	})
}

// The lease counts from when Redis set it, which may be any time between the command and its answer.
func TestLeaseCheckCountsFromTheStartOfTheRenewal(t *testing.T) {
	withLease(t, func(t *testing.T, r *records, _ *leaseManager, l *lease) {
		r.renews(func(context.Context) (record.RenewResult, error) {
			time.Sleep(4 * time.Second)
			return record.Renewed, nil
		})
		if err := l.Confirm(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.renews(func(context.Context) (record.RenewResult, error) { return "", errAway })
		time.Sleep(fenceAfter - 4*time.Second + time.Millisecond)
		if l.Check() != errLeaseLost {
			t.Error("the fence counts from the answer")
		}
	})
}

func TestLeaseConfirmRenewsNow(t *testing.T) {
	for answer, want := range map[record.RenewResult]error{record.Renewed: nil, record.RenewSuperseded: errSuperseded, record.RenewLost: errLeaseLost} {
		withLease(t, func(t *testing.T, r *records, _ *leaseManager, l *lease) {
			r.renews(always(answer))
			if err := l.Confirm(t.Context()); err != want {
				t.Errorf("%s: %v", answer, err)
			}
		})
	}
	withLease(t, func(t *testing.T, r *records, _ *leaseManager, l *lease) {
		r.renews(func(ctx context.Context) (record.RenewResult, error) { <-ctx.Done(); return "", ctx.Err() })
		start := time.Now()
		if err := l.Confirm(t.Context()); err == nil || time.Since(start) != redisTimeout {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestLeaseIsTheFenceOfItsRun(t *testing.T) {
	withLease(t, func(t *testing.T, _ *records, _ *leaseManager, l *lease) {
		if provision.FenceOf(provision.WithFence(l.ctx, l)) != provision.Fence(l) {
			t.Error("it is not")
		}
	})
}

func TestLeaseCheckCountsFromTheStartOfTheAcquisition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.renews(func(context.Context) (record.RenewResult, error) { return "", errAway })
		r.acquire = func(token string) (record.AcquireResult, record.Run, error) {
			time.Sleep(4 * time.Second)
			return record.Acquired, aRun(token), nil
		}
		start := time.Now()
		m, l := acquired(t, r)
		defer m.release(l, record.RunEnd{})
		time.Sleep(time.Until(start.Add(fenceAfter)))
		if err := l.Check(); err != nil {
			t.Errorf("fenced too early: %v", err)
		}
		time.Sleep(time.Millisecond)
		if l.Check() != errLeaseLost {
			t.Error("the fence counts from the answer")
		}
	})
}

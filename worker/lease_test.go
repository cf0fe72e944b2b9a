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

// active runs a test in a bubble, with a pass that was entered at its start.
func inside(t *testing.T, test func(t *testing.T, r *records, g *leaseManager, p *lease)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		g, p := entered(t, r)
		defer g.release(p, record.RunEnd{})
		test(t, r, g, p)
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

func wantCause(t *testing.T, p *lease, want error) {
	t.Helper()
	synctest.Wait()
	if got := context.Cause(p.ctx); got != want {
		t.Errorf("the run's context says %v, want %v", got, want)
	}
}

func TestALeaseIsRenewedEveryTenSeconds(t *testing.T) {
	inside(t, func(t *testing.T, r *records, _ *leaseManager, p *lease) {
		start := time.Now()
		time.Sleep(35 * time.Second)
		if diff := cmp.Diff([]time.Duration{10e9, 20e9, 30e9}, renewals(r, start)); diff != "" {
			t.Error(diff)
		}
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		wantCause(t, p, nil)
	})
}

func TestANewerRequestIsSeenAtOnceWhenItIsTold(t *testing.T) {
	inside(t, func(t *testing.T, r *records, g *leaseManager, p *lease) {
		time.Sleep(time.Second)
		r.renews(always(record.RenewSuperseded))
		g.renewNow("another")
		wantCause(t, p, nil)
		for range 5 {
			g.renewNow("s")
		}
		wantCause(t, p, errSuperseded)
	})
}

func TestBeingToldOfNothingNewChangesNothing(t *testing.T) {
	inside(t, func(t *testing.T, r *records, g *leaseManager, p *lease) {
		start := time.Now()
		time.Sleep(5 * time.Second)
		g.renewNow("s")
		time.Sleep(12 * time.Second)
		if diff := cmp.Diff([]time.Duration{5e9, 15e9}, renewals(r, start)); diff != "" {
			t.Error(diff)
		}
		wantCause(t, p, nil)
	})
}

func TestANewerRequestIsSeenAtTheNextRenewalAnyhow(t *testing.T) {
	inside(t, func(t *testing.T, r *records, _ *leaseManager, p *lease) {
		r.renews(always(record.RenewSuperseded))
		time.Sleep(renewEvery)
		wantCause(t, p, errSuperseded)
	})
}

// Supersede and SIGTERM wait for the call to Helm that is in hand: it keeps its lease and its fence.
func TestARunThatHasToGoKeepsItsLeaseUntilItLeaves(t *testing.T) {
	for name, end := range map[string]func(*records, *lease){
		"superseded": func(r *records, _ *lease) {
			r.renews(always(record.RenewSuperseded))
		},
		"stopping": func(_ *records, p *lease) { p.cancel(errStopping) },
	} {
		inside(t, func(t *testing.T, r *records, g *leaseManager, p *lease) {
			end(r, p)
			for range 5 {
				time.Sleep(renewEvery)
				synctest.Wait()
				if err := p.Check(); err != nil {
					t.Fatalf("%s: a call in hand is fenced: %v", name, err)
				}
			}
			if p.ctx.Err() == nil {
				t.Errorf("%s: the run goes on", name)
			}
			if n := len(renewals(r, time.Now())); n != 5 {
				t.Errorf("%s: %d renewals", name, n)
			}
		})
	}
}

func TestARunThatNeverGoesLosesItsLease(t *testing.T) {
	inside(t, func(t *testing.T, r *records, g *leaseManager, p *lease) {
		p.cancel(errStopping)
		time.Sleep(helmTimeout + fenceAfter + time.Second)
		if p.Check() != errLeaseLost {
			t.Error("a run that never goes keeps its store for ever")
		}
	})
}

func TestALostLeaseIsTheEndAtOnce(t *testing.T) {
	inside(t, func(t *testing.T, r *records, _ *leaseManager, p *lease) {
		r.renews(always(record.RenewLost))
		time.Sleep(renewEvery)
		wantCause(t, p, errLeaseLost)
		if p.Check() != errLeaseLost {
			t.Error("the fence is open although another run may be inside")
		}
	})
}

// However Redis is away, the fence closes before the lease can be taken by another, and the run has to go.
func TestWithoutRedisTheFenceClosesInTime(t *testing.T) {
	for name, away := range map[string]func(context.Context) (record.RenewResult, error){
		"refuses": func(context.Context) (record.RenewResult, error) { return "", errAway },
		"hangs":   func(ctx context.Context) (record.RenewResult, error) { <-ctx.Done(); return "", ctx.Err() },
	} {
		inside(t, func(t *testing.T, r *records, _ *leaseManager, p *lease) {
			time.Sleep(renewEvery)
			synctest.Wait()
			r.renews(away)
			time.Sleep(fenceAfter)
			synctest.Wait()
			if err := p.Check(); err != nil {
				t.Errorf("%s: fenced too early: %v", name, err)
			}
			time.Sleep(time.Millisecond)
			if p.Check() != errLeaseLost {
				t.Errorf("%s: not fenced %s after the last good renewal", name, fenceAfter)
			}
			time.Sleep(leaseTTL - fenceAfter - 2*time.Millisecond)
			wantCause(t, p, errLeaseLost)
		})
	}
}

func TestAShortOutageIsOutlasted(t *testing.T) {
	inside(t, func(t *testing.T, r *records, _ *leaseManager, p *lease) {
		start := time.Now()
		r.renews(func(context.Context) (record.RenewResult, error) {
			if time.Since(start) < 20*time.Second {
				return "", errAway
			}
			return record.Renewed, nil
		})
		time.Sleep(35 * time.Second)
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		wantCause(t, p, nil)
		if n := len(renewals(r, start)); n != 10+1+1 { // every second from 10 s to 19 s, at 20 s and at 30 s
			t.Errorf("%d renewals", n)
		}
	})
}

// The lease counts from when Redis set it, which may be any time between question and answer.
func TestTheFenceCountsFromTheQuestion(t *testing.T) {
	inside(t, func(t *testing.T, r *records, _ *leaseManager, p *lease) {
		r.renews(func(context.Context) (record.RenewResult, error) {
			time.Sleep(4 * time.Second)
			return record.Renewed, nil
		})
		if err := p.Confirm(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.renews(func(context.Context) (record.RenewResult, error) { return "", errAway })
		time.Sleep(fenceAfter - 4*time.Second + time.Millisecond)
		if p.Check() != errLeaseLost {
			t.Error("the fence counts from the answer")
		}
	})
}

func TestConfirmAsksNow(t *testing.T) {
	for answer, want := range map[record.RenewResult]error{record.Renewed: nil, record.RenewSuperseded: errSuperseded, record.RenewLost: errLeaseLost} {
		inside(t, func(t *testing.T, r *records, _ *leaseManager, p *lease) {
			r.renews(always(answer))
			if err := p.Confirm(t.Context()); err != want {
				t.Errorf("%s: %v", answer, err)
			}
		})
	}
	inside(t, func(t *testing.T, r *records, _ *leaseManager, p *lease) {
		r.renews(func(ctx context.Context) (record.RenewResult, error) { <-ctx.Done(); return "", ctx.Err() })
		start := time.Now()
		if err := p.Confirm(t.Context()); err == nil || time.Since(start) != redisTimeout {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestAPassIsTheFenceOfItsRun(t *testing.T) {
	inside(t, func(t *testing.T, _ *records, _ *leaseManager, p *lease) {
		if provision.FenceOf(provision.WithFence(p.ctx, p)) != provision.Fence(p) {
			t.Error("it is not")
		}
	})
}

func TestTheFirstLeaseCountsFromTheEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.renews(func(context.Context) (record.RenewResult, error) { return "", errAway })
		r.enter = func(token string) (record.AcquireResult, record.Run, error) {
			time.Sleep(4 * time.Second)
			return record.Acquired, aRun(token), nil
		}
		start := time.Now()
		g, p := entered(t, r)
		defer g.release(p, record.RunEnd{})
		time.Sleep(time.Until(start.Add(fenceAfter)))
		if err := p.Check(); err != nil {
			t.Errorf("fenced too early: %v", err)
		}
		time.Sleep(time.Millisecond)
		if p.Check() != errLeaseLost {
			t.Error("the fence counts from the answer")
		}
	})
}

package record

import (
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func TestAcquireSaysWhyThereIsNothingToRun(t *testing.T) {
	each(t, func(b *bench) {
		b.wantAcquire(queue.Task{Op: provision.OpProvision, StoreID: "unknown", Generation: 1, Cluster: provision.DefaultCluster}, AcquireNoRecord)

		first := b.accept(request("a"))
		second := b.accept(titled(request("a"), "new"))
		b.wantAcquire(first, AcquireSuperseded)
		run := b.acquire(second, "one")
		b.wantAcquire(second, AcquireHeld)
		b.release(run, RunEnd{})
		b.end(second, provision.StatusReady)
		b.wantAcquire(second, AcquireDone)

		del := b.accept(deletion("a"))
		b.wantAcquire(second, AcquireSuperseded)
		third := b.accept(request("a"))
		b.wantAcquire(third, AcquireWaiting)
		b.end(del, provision.StatusDeleted)
		b.wantAcquire(del, AcquireDone)
		b.acquire(third, "run")
	})
}

func TestAcquireRefusesTheWrongOperation(t *testing.T) {
	each(t, func(b *bench) {
		accepted := b.accept(request("a"))
		b.wantAcquire(queue.Task{Op: provision.OpDelete, StoreID: "a", Generation: accepted.Generation, Cluster: provision.DefaultCluster}, AcquireSuperseded)
		del := b.accept(deletion("a"))
		b.wantAcquire(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: del.Generation, Cluster: provision.DefaultCluster}, AcquireSuperseded)
	})
}

func TestAcquireForADeleteWaitsForTheActiveRun(t *testing.T) {
	each(t, func(b *bench) {
		run := b.acquire(b.accept(request("a")), "one")
		del := b.accept(deletion("a"))
		b.wantAcquire(del, AcquireHeld)
		b.release(run, RunEnd{Ended: true})
		b.acquire(del, "two")
	})
}

func TestAcquireRefusesAnOlderDelete(t *testing.T) {
	each(t, func(b *bench) {
		first := b.accept(deletion("a"))
		run := b.acquire(first, "one")
		waiting := b.accept(request("a"))
		second := b.accept(deletion("a"))
		b.wantOutcome(run, provision.StatusDeleted, OutcomeSuperseded, 0)
		b.release(run, RunEnd{Ended: true})
		b.wantAcquire(first, AcquireSuperseded)
		b.wantAcquire(waiting, AcquireSuperseded)
		b.end(second, provision.StatusDeleted)
		if got := b.deliver("a"); len(got) != 1 || got[0].Generation != second.Generation {
			b.Errorf("delivered %+v", got)
		}
	})
}

func TestAcquireAfterTheLeaseExpired(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		result, dead, err := b.records.Runs.Acquire(b.ctx, task, "dead", 50*time.Millisecond, false)
		if err != nil || result != Acquired {
			b.Fatal(result, err)
		}
		redistest.Elapse(b.url, 100*time.Millisecond)
		live := b.acquire(task, "live")
		if live.Crashes != 1 || live.Attempts != 0 {
			b.Errorf("after a run that never left: %d crashes, %d attempts", live.Crashes, live.Attempts)
		}
		b.wantOutcome(dead, provision.StatusReady, OutcomeLeaseLost, 0)
		b.release(dead, RunEnd{Counted: true}) // comes to itself too late
		b.wantAcquire(task, AcquireHeld)
		if s := b.state("a"); s.Attempts != 0 || s.Crashes != 1 || !s.Running {
			b.Errorf("the record says %+v", s)
		}
	})
}

func TestAcquireRepeatedIsTheSameRun(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		if result, _, err := b.records.Runs.Acquire(b.ctx, task, "run", time.Second, true); err != nil || result != Acquired {
			b.Fatal(result, err)
		}
		_, again, err := b.records.Runs.Acquire(b.ctx, task, "run", leaseTTL, true)
		if err != nil || again.Crashes != 0 {
			b.Errorf("the answer was lost and asked for again: %+v, %v", again, err)
		}
		if n := b.state("a").PendingCallbacks; n != 1 {
			b.Errorf("%d callbacks of progress, want 1", n)
		}
		if ttl := b.redis.PTTL(b.ctx, keyRunLease("a")).Val(); ttl < leaseTTL/2 {
			b.Errorf("the lease ends in %s, though its holder counts on %s from its last call", ttl, leaseTTL)
		}
	})
}

func TestReleaseCountsAttemptsPerGeneration(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		for n := 1; n <= 3; n++ {
			run := b.acquire(task, "run")
			if run.Attempts != n-1 {
				b.Fatalf("run %d begins with %d attempts", n, run.Attempts)
			}
			if got := b.release(run, RunEnd{Counted: true}); got != n {
				b.Fatalf("run %d ends with %d attempts", n, got)
			}
			if got := b.release(run, RunEnd{Counted: true}); got != n {
				b.Fatalf("run %d is released again, with %d attempts", n, got)
			}
		}
		b.release(b.acquire(task, "busy"), RunEnd{})
		run := b.acquire(task, "run")
		if run.Attempts != 3 || run.Crashes != 0 {
			b.Errorf("after three counted runs and one that does not count: %+v", run)
		}
		b.release(run, RunEnd{})
		if run := b.acquire(b.accept(titled(request("a"), "new")), "run"); run.Attempts != 0 {
			b.Errorf("a new generation begins with %d attempts", run.Attempts)
		}
	})
}

func TestReleaseSaysWhenTheRunIsTriedAgain(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		run := b.acquire(task, "one")
		b.release(run, RunEnd{Again: time.Minute})
		if left := time.Until(b.state("a").NextRunAt); left < 50*time.Second || left > 70*time.Second {
			b.Errorf("it is tried again in %s, want a minute", left)
		}
		run = b.acquire(task, "two")
		if at := b.state("a").NextRunAt; !at.IsZero() {
			b.Errorf("while it runs, it is tried again at %s", at)
		}
		b.release(run, RunEnd{Again: time.Minute})
		b.accept(titled(request("a"), "new"))
		if at := b.state("a").NextRunAt; !at.IsZero() {
			b.Errorf("a new generation is tried again at %s, as the one before", at)
		}
	})
}

func TestAcquireCountsCrashes(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		for n := range 4 {
			if run := b.acquire(task, "run"+string(rune('a'+n))); run.Crashes != n {
				b.Fatalf("run %d begins with %d crashes", n, run.Crashes)
			}
			b.redis.Del(b.ctx, keyRunLease("a"))
		}
		if run := b.acquire(b.accept(titled(request("a"), "new")), "run"); run.Crashes != 0 {
			b.Errorf("a new generation begins with %d crashes", run.Crashes)
		}
	})
}

// A delete goes on while a provision is accepted behind it; what was counted of it has to stay, or a delete that kills
// its worker is tried for ever.
func TestReleaseCountsADeleteWhileAProvisionWaits(t *testing.T) {
	each(t, func(b *bench) {
		del := b.accept(deletion("a"))
		run := b.acquire(del, "one")
		b.accept(request("a"))
		if got := b.release(run, RunEnd{Counted: true}); got != 1 {
			b.Errorf("the delete ends with %d attempts, want 1", got)
		}
		b.acquire(del, "two")
		b.accept(titled(request("a"), "new"))
		b.redis.Del(b.ctx, keyRunLease("a"))
		if run := b.acquire(del, "three"); run.Attempts != 1 || run.Crashes != 1 {
			b.Errorf("got %d attempts and %d crashes, want 1 and 1", run.Attempts, run.Crashes)
		}
	})
}

func TestAcquireAfterADeliveredFailureHasAllAttemptsOnce(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		b.release(b.acquire(task, "one"), RunEnd{Counted: true})
		run := b.acquire(task, "two")
		b.wantOutcome(run, provision.StatusFailed, OutcomeRecorded, 0)
		b.release(run, RunEnd{Counted: true, Ended: true})
		if s := b.state("a"); s.Attempts != 2 {
			b.Errorf("a failed store shows %d attempts, want 2", s.Attempts)
		}
		b.deliver("a")
		b.redis.HSet(b.ctx, keyStore("a"), "accepted", "1000", "deadline", 1000+generationTimeout.Milliseconds()) // long ago

		again := b.acquire(task, "three")
		if again.Attempts != 0 || again.Crashes != 0 || again.TimeLeft < generationTimeout-time.Minute || again.TimeLeft > generationTimeout {
			b.Errorf("the run begins with %+v", again)
		}
		b.release(again, RunEnd{Counted: true}) // to be tried again
		if again = b.acquire(task, "four"); again.Attempts != 1 {
			b.Errorf("its next try has %d attempts, want 1", again.Attempts)
		}
		b.wantOutcome(again, provision.StatusFailed, OutcomeUnchanged, 0)
		b.release(again, RunEnd{Counted: true, Ended: true})
		if once := b.acquire(task, "five"); once.TimeLeft > generationTimeout {
			b.Errorf("asked for once more, the generation has %s, want %s at the most", once.TimeLeft, generationTimeout)
		}
	})
}

func TestAcquireCountsTheDeadlineFromAcceptance(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		b.redis.HSet(b.ctx, keyStore("a"), "deadline", time.Now().Add(-time.Minute).UnixMilli())
		run := b.acquire(task, "run")
		if run.TimeLeft > -time.Minute+time.Second || run.TimeLeft < -2*time.Minute {
			b.Errorf("%s are left a minute after the deadline", run.TimeLeft)
		}
	})
}

func TestAcquireRecordsProgressOncePerGeneration(t *testing.T) {
	each(t, func(b *bench) {
		progress := func(task queue.Task, token string) Run {
			_, run, err := b.records.Runs.Acquire(b.ctx, task, token, leaseTTL, true)
			return must(b, run, err)
		}
		task := b.accept(request("a"))
		b.release(progress(task, "one"), RunEnd{})
		b.release(progress(task, "two"), RunEnd{})
		if got := b.deliver("a"); len(got) != 1 || got[0].Status != provision.StatusProvisioning || got[0].Generation != task.Generation {
			b.Errorf("delivered %+v", got)
		}
		run := progress(task, "three")
		b.wantOutcome(run, provision.StatusFailed, OutcomeRecorded, 0)
		b.release(run, RunEnd{Ended: true})
		progress(task, "four") // run again after its failure: no second callback of progress
		if got := statuses(b.deliver("a")); len(got) != 1 || got[0] != provision.StatusFailed {
			b.Errorf("delivered %v", got)
		}
		quiet := b.accept(request("c"))
		b.end(quiet, provision.StatusFailed)
		progress(quiet, "again")
		if got := statuses(b.deliver("c")); len(got) != 1 || got[0] != provision.StatusFailed {
			b.Errorf("delivered %v: progress after the outcome", got)
		}
		b.release(progress(b.accept(deletion("b")), "one"), RunEnd{})
		if got := statuses(b.deliver("b")); len(got) != 1 || got[0] != provision.StatusDeleting {
			b.Errorf("delivered %v", got)
		}
	})
}

func (b *bench) renew(run Run, ttl time.Duration) RenewResult {
	b.Helper()
	got, err := b.records.Runs.Renew(b.ctx, run, ttl)
	return must(b, got, err)
}

func TestRenew(t *testing.T) {
	each(t, func(b *bench) {
		run := b.acquire(b.accept(request("a")), "one")
		if got := b.renew(run, 5*leaseTTL); got != Renewed {
			b.Errorf("renewal: %s", got)
		}
		if ttl := b.redis.PTTL(b.ctx, keyRunLease("a")).Val(); ttl <= 4*leaseTTL {
			b.Errorf("a renewed lease ends in %s", ttl)
		}
		del := b.accept(deletion("a"))
		if got := b.renew(run, leaseTTL); got != RenewSuperseded {
			b.Errorf("renewal of a superseded run: %s", got)
		}
		b.wantAcquire(del, AcquireHeld) // a superseded run still holds the lease
		b.release(run, RunEnd{})
		if got := b.renew(run, leaseTTL); got != RenewLost {
			b.Errorf("renewal after the release: %s", got)
		}
		deleting := b.acquire(del, "two")
		if got := b.renew(run, leaseTTL); got != RenewLost {
			b.Errorf("renewal of another run's lease: %s", got)
		}
		b.accept(request("a"))
		if got := b.renew(deleting, leaseTTL); got != Renewed {
			b.Errorf("a delete is overtaken by a provision: %s", got)
		}
		b.accept(deletion("a"))
		if got := b.renew(deleting, leaseTTL); got != RenewSuperseded {
			b.Errorf("a delete is not overtaken by a delete: %s", got)
		}
	})
}

func TestReleaseKeepsTheLeaseOfAnotherRun(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		run := b.acquire(task, "one")
		other := run
		other.Token = "other"
		b.release(other, RunEnd{Counted: true, Ended: true})
		b.wantAcquire(task, AcquireHeld)
		if got := b.release(run, RunEnd{}); got != 0 {
			b.Errorf("the release of another run counted %d attempts", got)
		}
	})
}

func TestAcquireSaysWhoseRequestTheRunIsFor(t *testing.T) {
	each(t, func(b *bench) {
		asked := func(name, id string, req provision.Request) queue.Task {
			b.Helper()
			accepted, err := b.records.Requests.Accept(provision.WithOrigin(b.ctx, provision.Origin{By: name, RequestID: id}), req, generationTimeout)
			if err != nil {
				b.Fatal(err)
			}
			return queue.Task{Op: req.Action, StoreID: req.StoreID, Generation: accepted.Generation, Cluster: provision.DefaultCluster}
		}
		first := asked("billing", "r-1", request("a"))
		if run := b.acquire(first, "one"); run.RequestedBy != "billing" || run.RequestID != "r-1" {
			t.Errorf("%q, %q", run.RequestedBy, run.RequestID)
		}
		if _, err := b.records.Runs.Release(b.ctx, b.acquire(first, "one"), RunEnd{}); err != nil {
			t.Fatal(err)
		}
		deleted := asked("support", "r-2", deletion("a"))
		asked("billing", "r-3", request("a"))
		if run := b.acquire(deleted, "two"); run.RequestedBy != "" || run.RequestID != "" {
			t.Errorf("a delete that is not the newest any more has the newest's request: %q, %q", run.RequestedBy, run.RequestID)
		}
	})
}

package record

import (
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func TestEnterSaysWhyThereIsNothingToRun(t *testing.T) {
	each(t, func(b *bench) {
		b.wantEntry(queue.Task{Op: provision.OpProvision, StoreID: "nobody", Generation: 1, Cluster: provision.DefaultCluster}, AcquireNoRecord)

		first := b.accept(request("a"))
		second := b.accept(titled(request("a"), "new"))
		b.wantEntry(first, AcquireSuperseded)
		run := b.enter(second, "one")
		b.wantEntry(second, AcquireHeld)
		b.leave(run, RunEnd{})
		b.end(second, provision.StatusReady)
		b.wantEntry(second, AcquireDone)

		del := b.accept(deletion("a"))
		b.wantEntry(second, AcquireSuperseded)
		third := b.accept(request("a"))
		b.wantEntry(third, AcquireWaiting)
		b.end(del, provision.StatusDeleted)
		b.wantEntry(del, AcquireDone)
		b.enter(third, "run")
	})
}

func TestARunOfTheWrongOperationDoesNotEnter(t *testing.T) {
	each(t, func(b *bench) {
		accepted := b.accept(request("a"))
		b.wantEntry(queue.Task{Op: provision.OpDelete, StoreID: "a", Generation: accepted.Generation, Cluster: provision.DefaultCluster}, AcquireSuperseded)
		del := b.accept(deletion("a"))
		b.wantEntry(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: del.Generation, Cluster: provision.DefaultCluster}, AcquireSuperseded)
	})
}

func TestADeleteWaitsForTheRunInside(t *testing.T) {
	each(t, func(b *bench) {
		run := b.enter(b.accept(request("a")), "one")
		del := b.accept(deletion("a"))
		b.wantEntry(del, AcquireHeld)
		b.leave(run, RunEnd{Ended: true})
		b.enter(del, "two")
	})
}

func TestADeleteSupersedesOlderDeletes(t *testing.T) {
	each(t, func(b *bench) {
		first := b.accept(deletion("a"))
		run := b.enter(first, "one")
		waiting := b.accept(request("a"))
		second := b.accept(deletion("a"))
		b.wantRuling(run, provision.StatusDeleted, OutcomeSuperseded, 0)
		b.leave(run, RunEnd{Ended: true})
		b.wantEntry(first, AcquireSuperseded)
		b.wantEntry(waiting, AcquireSuperseded)
		b.end(second, provision.StatusDeleted)
		if got := b.tell("a"); len(got) != 1 || got[0].Generation != second.Generation {
			b.Errorf("told %+v", got)
		}
	})
}

func TestTheGateOpensWhenTheLeaseRunsOut(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		entry, dead, err := b.records.Runs.Acquire(b.ctx, task, "dead", 50*time.Millisecond, false)
		if err != nil || entry != Acquired {
			b.Fatal(entry, err)
		}
		redistest.Elapse(b.url, 100*time.Millisecond)
		live := b.enter(task, "live")
		if live.Crashes != 1 || live.Attempts != 0 {
			b.Errorf("after a run that never left: %d crashes, %d attempts", live.Crashes, live.Attempts)
		}
		b.wantRuling(dead, provision.StatusReady, OutcomeLeaseLost, 0)
		b.leave(dead, RunEnd{Counted: true}) // comes to itself too late
		b.wantEntry(task, AcquireHeld)
		if s := b.state("a"); s.Attempts != 0 || s.Crashes != 1 || !s.Running {
			b.Errorf("the record says %+v", s)
		}
	})
}

func TestEnterRepeatedIsTheSameRun(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		if entry, _, err := b.records.Runs.Acquire(b.ctx, task, "run", time.Second, true); err != nil || entry != Acquired {
			b.Fatal(entry, err)
		}
		_, again, err := b.records.Runs.Acquire(b.ctx, task, "run", lease, true)
		if err != nil || again.Crashes != 0 {
			b.Errorf("the answer was lost and asked for again: %+v, %v", again, err)
		}
		if n := b.state("a").PendingCallbacks; n != 1 {
			b.Errorf("%d callbacks of progress, want 1", n)
		}
		if ttl := b.redis.PTTL(b.ctx, keyRunLease("a")).Val(); ttl < lease/2 {
			b.Errorf("the lease ends in %s, though its holder counts on %s from its last call", ttl, lease)
		}
	})
}

func TestAttemptsAreCountedPerGeneration(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		for n := 1; n <= 3; n++ {
			run := b.enter(task, "run")
			if run.Attempts != n-1 {
				b.Fatalf("run %d begins with %d attempts", n, run.Attempts)
			}
			if got := b.leave(run, RunEnd{Counted: true}); got != n {
				b.Fatalf("run %d leaves with %d attempts", n, got)
			}
			if got := b.leave(run, RunEnd{Counted: true}); got != n {
				b.Fatalf("run %d leaves again, with %d attempts", n, got)
			}
		}
		b.leave(b.enter(task, "busy"), RunEnd{})
		run := b.enter(task, "run")
		if run.Attempts != 3 || run.Crashes != 0 {
			b.Errorf("after three counted runs and one that does not count: %+v", run)
		}
		b.leave(run, RunEnd{})
		if run := b.enter(b.accept(titled(request("a"), "new")), "run"); run.Attempts != 0 {
			b.Errorf("a new generation begins with %d attempts", run.Attempts)
		}
	})
}

func TestCrashesAddUp(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		for n := range 4 {
			if run := b.enter(task, "run"+string(rune('a'+n))); run.Crashes != n {
				b.Fatalf("run %d begins with %d crashes", n, run.Crashes)
			}
			b.redis.Del(b.ctx, keyRunLease("a"))
		}
		if run := b.enter(b.accept(titled(request("a"), "new")), "run"); run.Crashes != 0 {
			b.Errorf("a new generation begins with %d crashes", run.Crashes)
		}
	})
}

// A delete goes on while a provision is accepted behind it; what was counted of it has to stay, or a delete that kills
// its worker is tried for ever.
func TestADeleteIsCountedWhileAProvisionWaits(t *testing.T) {
	each(t, func(b *bench) {
		del := b.accept(deletion("a"))
		run := b.enter(del, "one")
		b.accept(request("a"))
		if got := b.leave(run, RunEnd{Counted: true}); got != 1 {
			b.Errorf("the delete leaves with %d attempts, want 1", got)
		}
		b.enter(del, "two")
		b.accept(titled(request("a"), "new"))
		b.redis.Del(b.ctx, keyRunLease("a"))
		if run := b.enter(del, "three"); run.Attempts != 1 || run.Crashes != 1 {
			b.Errorf("got %d attempts and %d crashes, want 1 and 1", run.Attempts, run.Crashes)
		}
	})
}

func TestARunAfterAToldFailureHasAllItsChancesOnce(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		b.leave(b.enter(task, "one"), RunEnd{Counted: true})
		run := b.enter(task, "two")
		b.wantRuling(run, provision.StatusFailed, OutcomeRecorded, 0)
		b.leave(run, RunEnd{Counted: true, Ended: true})
		if s := b.state("a"); s.Attempts != 2 {
			b.Errorf("a failed store shows %d attempts, want 2", s.Attempts)
		}
		b.tell("a")
		b.redis.HSet(b.ctx, keyStore("a"), "accepted", "1000", "deadline", 1000+patience.Milliseconds()) // long ago

		again := b.enter(task, "three")
		if again.Attempts != 0 || again.Crashes != 0 || again.TimeLeft < patience-time.Minute || again.TimeLeft > patience {
			b.Errorf("the run begins with %+v", again)
		}
		b.leave(again, RunEnd{Counted: true}) // to be tried again
		if again = b.enter(task, "four"); again.Attempts != 1 {
			b.Errorf("its next try has %d attempts, want 1", again.Attempts)
		}
		b.wantRuling(again, provision.StatusFailed, OutcomeUnchanged, 0)
		b.leave(again, RunEnd{Counted: true, Ended: true})
		if once := b.enter(task, "five"); once.TimeLeft > patience {
			b.Errorf("asked for once more, the generation has %s, want %s at the most", once.TimeLeft, patience)
		}
	})
}

func TestTheDeadlineCountsFromAcceptance(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		b.redis.HSet(b.ctx, keyStore("a"), "deadline", time.Now().Add(-time.Minute).UnixMilli())
		run := b.enter(task, "run")
		if run.TimeLeft > -time.Minute+time.Second || run.TimeLeft < -2*time.Minute {
			b.Errorf("%s are left a minute after the deadline", run.TimeLeft)
		}
	})
}

func TestProgressIsToldOncePerGeneration(t *testing.T) {
	each(t, func(b *bench) {
		progress := func(task queue.Task, token string) Run {
			_, run, err := b.records.Runs.Acquire(b.ctx, task, token, lease, true)
			return must(b, run, err)
		}
		task := b.accept(request("a"))
		b.leave(progress(task, "one"), RunEnd{})
		b.leave(progress(task, "two"), RunEnd{})
		if got := b.tell("a"); len(got) != 1 || got[0].Status != provision.StatusProvisioning || got[0].Generation != task.Generation {
			b.Errorf("told %+v", got)
		}
		run := progress(task, "three")
		b.wantRuling(run, provision.StatusFailed, OutcomeRecorded, 0)
		b.leave(run, RunEnd{Ended: true})
		progress(task, "four") // asked for again after its failure: that it is under way is no news
		if got := statuses(b.tell("a")); len(got) != 1 || got[0] != provision.StatusFailed {
			b.Errorf("told %v", got)
		}
		quiet := b.accept(request("c"))
		b.end(quiet, provision.StatusFailed)
		progress(quiet, "again")
		if got := statuses(b.tell("c")); len(got) != 1 || got[0] != provision.StatusFailed {
			b.Errorf("told %v: progress after the verdict", got)
		}
		b.leave(progress(b.accept(deletion("b")), "one"), RunEnd{})
		if got := statuses(b.tell("b")); len(got) != 1 || got[0] != provision.StatusDeleting {
			b.Errorf("told %v", got)
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
		run := b.enter(b.accept(request("a")), "one")
		if got := b.renew(run, 5*lease); got != Renewed {
			b.Errorf("renewal: %s", got)
		}
		if ttl := b.redis.PTTL(b.ctx, keyRunLease("a")).Val(); ttl <= 4*lease {
			b.Errorf("a renewed lease ends in %s", ttl)
		}
		del := b.accept(deletion("a"))
		if got := b.renew(run, lease); got != RenewSuperseded {
			b.Errorf("renewal of a superseded run: %s", got)
		}
		b.wantEntry(del, AcquireHeld) // overtaken is still inside
		b.leave(run, RunEnd{})
		if got := b.renew(run, lease); got != RenewLost {
			b.Errorf("renewal after leaving: %s", got)
		}
		deleting := b.enter(del, "two")
		if got := b.renew(run, lease); got != RenewLost {
			b.Errorf("renewal of another's gate: %s", got)
		}
		b.accept(request("a"))
		if got := b.renew(deleting, lease); got != Renewed {
			b.Errorf("a delete is overtaken by a provision: %s", got)
		}
		b.accept(deletion("a"))
		if got := b.renew(deleting, lease); got != RenewSuperseded {
			b.Errorf("a delete is not overtaken by a delete: %s", got)
		}
	})
}

func TestLeaveKeepsAnothersGate(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		run := b.enter(task, "one")
		stranger := run
		stranger.Token = "stranger"
		b.leave(stranger, RunEnd{Counted: true, Ended: true})
		b.wantEntry(task, AcquireHeld)
		if got := b.leave(run, RunEnd{}); got != 0 {
			b.Errorf("a stranger's exit counted %d attempts", got)
		}
	})
}

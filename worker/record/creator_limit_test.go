package record

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// ofCreator is a request for a store of a creator.
func ofCreator(creator, id string) provision.Request {
	req := request(id)
	req.CreatorID = creator
	return req
}

// eachLimited runs a test on every kind of Redis, with at most n new stores of one creator in progress.
func eachLimited(t *testing.T, n int, test func(b *bench)) {
	t.Helper()
	each(t, func(b *bench) {
		b.set(Options{CreatorLimit: n, Placement: b.options.Placement})
		test(b)
	})
}

// acceptAll accepts stores of one creator, each with a generation of its own.
func (b *bench) acceptAll(creator string, ids ...string) map[string]queue.Task {
	b.Helper()
	tasks := map[string]queue.Task{}
	for _, id := range ids {
		tasks[id] = b.accept(ofCreator(creator, id))
		time.Sleep(2 * time.Millisecond) // two of the same millisecond would be in order of their ids
	}
	return tasks
}

// wantNext ends a run with an outcome and checks which provisions may begin then.
func (b *bench) wantNext(run Run, status provision.Status, want ...queue.Task) {
	b.Helper()
	result, next, err := b.records.Runs.RecordOutcome(b.ctx, run, status, "", "")
	if must(b, result, err) != OutcomeRecorded {
		b.Fatalf("%s of %s: %s", status, run.Store.StoreID, result)
	}
	if diff := cmp.Diff(want, next); diff != "" {
		b.Fatalf("after %s of %s (-want +got):\n%s", status, run.Store.StoreID, diff)
	}
	b.release(run, RunEnd{Ended: true})
}

func TestCreatorLimitThrottlesInOrder(t *testing.T) {
	eachLimited(t, 2, func(b *bench) {
		tasks := b.acceptAll("x", "d", "c", "b", "a", "e")
		for _, id := range []string{"e", "a", "b"} { // in any order
			b.wantAcquire(tasks[id], AcquireThrottled)
		}
		d, c := b.acquire(tasks["d"], "one"), b.acquire(tasks["c"], "two")
		if s := b.state("a"); s.CreatorInProgress != 2 || s.Running || s.Attempts != 0 || s.Status != provision.StatusProvisioning {
			b.Errorf("shown while it waits: %+v", s)
		}
		b.wantNext(c, provision.StatusFailed, tasks["b"])
		b.wantAcquire(tasks["a"], AcquireThrottled)
		b.wantNext(d, provision.StatusReady, tasks["b"], tasks["a"]) // b has not started yet, and is named once more
		bee := b.acquire(tasks["b"], "three")
		if s := b.state("b"); s.CreatorInProgress != 0 {
			b.Errorf("shown while it runs: %+v", s)
		}
		a := b.acquire(tasks["a"], "four")
		b.wantNext(bee, provision.StatusReady, tasks["e"])
		b.wantNext(a, provision.StatusReady, tasks["e"])
		b.wantNext(b.acquire(tasks["e"], "five"), provision.StatusReady)
		if n := b.redis.Exists(b.ctx, prefix+"creator-queue:x").Val(); n != 0 {
			b.Error("an empty creator queue is left behind")
		}
	})
}

func TestCreatorLimitCountsTheCreatorsOwnStores(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		b.acquire(b.accept(ofCreator("x", "a")), "run")
		b.wantAcquire(b.accept(ofCreator("x", "b")), AcquireThrottled)
		b.acquire(b.accept(ofCreator("y", "c")), "run")
		for _, id := range []string{"d", "e", "f"} {
			b.acquire(b.accept(request(id)), "run")
		}
	})
}

func TestCreatorLimitZeroThrottlesNothing(t *testing.T) {
	each(t, func(b *bench) {
		for i := range 20 {
			b.acquire(b.accept(ofCreator("x", fmt.Sprint("s", i))), "run")
		}
	})
}

// A slot belongs to the store, not to a run: it outlives retries, crashes, and a changed request.
func TestCreatorLimitKeepsTheSlotUntilTheOutcome(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b")
		b.wantAcquire(tasks["b"], AcquireThrottled)
		b.release(b.acquire(tasks["a"], "one"), RunEnd{Counted: true})
		b.wantAcquire(tasks["b"], AcquireThrottled)
		b.acquire(tasks["a"], "dead")
		b.redis.Del(b.ctx, keyRunLease("a"))
		b.wantAcquire(tasks["b"], AcquireThrottled)
		changed := b.accept(titled(ofCreator("x", "a"), "new"))
		b.wantAcquire(tasks["b"], AcquireThrottled)
		b.wantNext(b.acquire(changed, "two"), provision.StatusReady, tasks["b"])
		b.acquire(tasks["b"], "three")
	})
}

func TestCreatorLimitKeepsThePositionOfAChangedStore(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c")
		a := b.acquire(tasks["a"], "run")
		b.wantAcquire(tasks["c"], AcquireThrottled)
		b.wantAcquire(tasks["b"], AcquireThrottled)
		changed := b.accept(titled(ofCreator("x", "b"), "new"))
		if s := b.state("b"); s.CreatorInProgress != 0 {
			b.Errorf("a request that has not asked yet is shown as %+v", s)
		}
		b.wantAcquire(changed, AcquireThrottled)
		b.wantNext(a, provision.StatusReady, changed)
	})
}

// Nothing of a store that had an outcome is throttled, and none of it counts.
func TestCreatorLimitNeverThrottlesDeletesAndChanges(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		for id, status := range map[string]provision.Status{"r": provision.StatusReady, "f": provision.StatusFailed, "d": provision.StatusReady} {
			b.end(b.accept(ofCreator("x", id)), status)
		}
		b.acquire(b.accept(ofCreator("x", "a")), "run")
		waits := b.accept(ofCreator("x", "z"))
		b.wantAcquire(waits, AcquireThrottled)
		b.acquire(b.accept(ofCreator("x", "r")), "equal")
		b.acquire(b.accept(titled(ofCreator("x", "f"), "new")), "changed")
		b.acquire(b.accept(deletion("d")), "deleted")
		b.end(b.accept(deletion("z")), provision.StatusDeleted)
	})
}

// A change of a new store that names another creator is not throttled by that one's stores.
func TestCreatorLimitKeepsTheQueueOfAStartedStore(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		b.acquire(b.accept(ofCreator("y", "b")), "run")
		b.release(b.acquire(b.accept(ofCreator("x", "a")), "run"), RunEnd{})
		b.end(b.accept(ofCreator("y", "a")), provision.StatusReady)
		b.acquire(b.accept(ofCreator("x", "c")), "run")
	})
}

// The run of a store that is deleted may still be active: its slot is freed when its delete acquires the lease.
func TestCreatorLimitFreesTheSlotWhenADeleteBegins(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c")
		run := b.acquire(tasks["a"], "run")
		b.wantAcquire(tasks["b"], AcquireThrottled)
		b.wantAcquire(tasks["c"], AcquireThrottled)
		gone, del := b.accept(deletion("b")), b.accept(deletion("a"))
		b.wantAcquire(del, AcquireHeld)
		b.wantAcquire(tasks["c"], AcquireThrottled)
		if next := b.acquire(gone, "b").Next; next != nil {
			b.Errorf("the delete of a store that waited frees a slot for %v", next)
		}
		b.release(run, RunEnd{})
		if diff := cmp.Diff([]queue.Task{tasks["c"]}, b.acquire(del, "a").Next); diff != "" {
			b.Error(diff)
		}
		b.acquire(tasks["c"], "run")
	})
}

func TestCreatorLimitCountsAProvisionAfterADelete(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		b.end(b.accept(ofCreator("x", "a")), provision.StatusReady)
		b.end(b.accept(ofCreator("x", "b")), provision.StatusReady)
		dels := map[string]Run{}
		for _, id := range []string{"a", "b"} {
			dels[id] = b.acquire(b.accept(deletion(id)), "del")
		}
		again := b.acceptAll("x", "a", "b")
		other := b.accept(ofCreator("x", "c"))
		run := b.acquire(other, "run") // no store is queued before it yet
		b.wantNext(dels["a"], provision.StatusDeleted, again["a"])
		b.wantAcquire(again["a"], AcquireThrottled)
		b.wantNext(dels["b"], provision.StatusDeleteFailed, again["b"])
		b.acquire(again["b"], "run") // goes on with what is there
		b.wantNext(run, provision.StatusReady, again["a"])
		b.acquire(again["a"], "run")
	})
}

// A store that has started is not overtaken, and a lower limit stops nothing that has started.
func TestCreatorLimitLoweredStopsNothingStarted(t *testing.T) {
	eachLimited(t, 3, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c", "d")
		for _, id := range []string{"a", "b", "c"} {
			b.release(b.acquire(tasks[id], "run"), RunEnd{})
		}
		b.set(Options{CreatorLimit: 1, Placement: b.options.Placement})
		b.wantAcquire(tasks["d"], AcquireThrottled)
		b.wantNext(b.acquire(tasks["c"], "run"), provision.StatusReady)
		b.wantNext(b.acquire(tasks["b"], "run"), provision.StatusReady)
		b.wantAcquire(tasks["d"], AcquireThrottled)
		b.wantNext(b.acquire(tasks["a"], "run"), provision.StatusReady, tasks["d"])
	})
}

func TestCreatorLimitStartsTheDeadlineWithTheSlot(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b")
		b.wantAcquire(tasks["b"], AcquireThrottled)
		for _, id := range []string{"a", "b"} {
			b.redis.HSet(b.ctx, keyStore(id), "deadline", time.Now().Add(-time.Minute).UnixMilli())
		}
		a := b.acquire(tasks["a"], "run")
		if a.TimeLeft > 0 {
			b.Errorf("%s are left to a store that never waited", a.TimeLeft)
		}
		b.wantNext(a, provision.StatusFailed, tasks["b"])
		run := b.acquire(tasks["b"], "run")
		if run.TimeLeft < generationTimeout-time.Minute || run.TimeLeft > generationTimeout {
			b.Errorf("%s are left to a store that waited for its slot", run.TimeLeft)
		}
		b.release(run, RunEnd{})
		b.redis.HSet(b.ctx, keyStore("b"), "deadline", time.Now().Add(-time.Minute).UnixMilli())
		if run = b.acquire(tasks["b"], "again"); run.TimeLeft > 0 {
			b.Errorf("its next run has %s left", run.TimeLeft)
		}
	})
}

// The sweeper finds a store that should have been revived and was not, and a slot that no run can free.
func TestInspectRepairsACreatorQueue(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c")
		a := b.acquire(tasks["a"], "run")
		b.wantAcquire(tasks["b"], AcquireThrottled)
		b.wantAcquire(tasks["c"], AcquireThrottled)
		soon := func(id string, want bool) {
			b.Helper()
			if got := b.inspect(id).TryNow; got != want {
				b.Errorf("%s may begin: %v", id, got)
			}
		}
		soon("a", false)
		soon("b", false)
		b.wantNext(a, provision.StatusReady, tasks["b"])
		soon("b", true)
		soon("c", false)
		b.redis.Del(b.ctx, keyStore("b")) // by hand, against all advice
		soon("c", true)
		b.acquire(tasks["c"], "run")
		d := b.acceptAll("x", "d")["d"]
		b.wantAcquire(d, AcquireThrottled)
		b.redis.Del(b.ctx, prefix+"creator-queue:x")
		soon("d", true)
		b.wantAcquire(b.accept(ofCreator("x", "e")), AcquireThrottled)
		b.set(Options{CreatorLimit: 0, Placement: b.options.Placement})
		soon("e", true)
	})
}

// A store with saved state has started, although Redis has lost its record: it is not throttled, and its slot is freed.
func TestCreatorLimitDoesNotThrottleARestoredStore(t *testing.T) {
	eachLimited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c")
		b.acquire(tasks["a"], "run")
		b.wantAcquire(tasks["b"], AcquireThrottled)
		newer := tasks["b"]
		newer.Generation++
		b.restore(savedState(newer, "", false), Restored)
		b.acquire(newer, "run")
		if s := b.state("b"); s.CreatorInProgress != 0 {
			b.Errorf("a restored store is shown as %+v", s)
		}
		b.wantAcquire(tasks["c"], AcquireThrottled)
		newer = tasks["a"]
		newer.Generation++
		b.restore(savedState(newer, provision.StatusReady, true), Restored)
		b.acquire(tasks["c"], "run")
	})
}

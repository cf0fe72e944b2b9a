package record

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// of is a request for a store of a creator.
func of(creator, id string) provision.Request {
	req := request(id)
	req.CreatorID = creator
	return req
}

// limited runs a test on every kind of Redis, with at most n new stores of one creator under way.
func limited(t *testing.T, n int, test func(b *bench)) {
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
		tasks[id] = b.accept(of(creator, id))
		time.Sleep(2 * time.Millisecond) // two of the same millisecond would be in order of their ids
	}
	return tasks
}

// wantNext ends a run with a verdict and checks which provisions may begin then.
func (b *bench) wantNext(run Run, status provision.Status, want ...queue.Task) {
	b.Helper()
	ruling, next, err := b.records.Runs.RecordOutcome(b.ctx, run, status, "", "")
	if must(b, ruling, err) != OutcomeRecorded {
		b.Fatalf("%s of %s: %s", status, run.Store.StoreID, ruling)
	}
	if diff := cmp.Diff(want, next); diff != "" {
		b.Fatalf("after %s of %s (-want +got):\n%s", status, run.Store.StoreID, diff)
	}
	b.leave(run, RunEnd{Ended: true})
}

func TestNewStoresBeyondTheLimitWaitInOrder(t *testing.T) {
	limited(t, 2, func(b *bench) {
		tasks := b.acceptAll("x", "d", "c", "b", "a", "e")
		for _, id := range []string{"e", "a", "b"} { // whoever asks first
			b.wantEntry(tasks[id], AcquireThrottled)
		}
		d, c := b.enter(tasks["d"], "one"), b.enter(tasks["c"], "two")
		if s := b.state("a"); s.CreatorInProgress != 2 || s.Running || s.Attempts != 0 || s.Status != provision.StatusProvisioning {
			b.Errorf("shown while it waits: %+v", s)
		}
		b.wantNext(c, provision.StatusFailed, tasks["b"])
		b.wantEntry(tasks["a"], AcquireThrottled)
		b.wantNext(d, provision.StatusReady, tasks["b"], tasks["a"]) // b has not come in yet, and is woken once more
		bee := b.enter(tasks["b"], "three")
		if s := b.state("b"); s.CreatorInProgress != 0 {
			b.Errorf("shown while it runs: %+v", s)
		}
		a := b.enter(tasks["a"], "four")
		b.wantNext(bee, provision.StatusReady, tasks["e"])
		b.wantNext(a, provision.StatusReady, tasks["e"])
		b.wantNext(b.enter(tasks["e"], "five"), provision.StatusReady)
		if n := b.redis.Exists(b.ctx, prefix+"creator-queue:x").Val(); n != 0 {
			b.Error("an empty line is left behind")
		}
	})
}

func TestOnlyTheCreatorsOwnStoresCount(t *testing.T) {
	limited(t, 1, func(b *bench) {
		b.enter(b.accept(of("x", "a")), "run")
		b.wantEntry(b.accept(of("x", "b")), AcquireThrottled)
		b.enter(b.accept(of("y", "c")), "run")
		for _, id := range []string{"d", "e", "f"} {
			b.enter(b.accept(request(id)), "run")
		}
	})
}

func TestWithoutALimitNobodyWaits(t *testing.T) {
	each(t, func(b *bench) {
		for i := range 20 {
			b.enter(b.accept(of("x", fmt.Sprint("s", i))), "run")
		}
	})
}

// A place belongs to the store, not to a run: it outlives retries, crashes, and a change of mind.
func TestAStoreKeepsItsPlaceUntilItsVerdict(t *testing.T) {
	limited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b")
		b.wantEntry(tasks["b"], AcquireThrottled)
		b.leave(b.enter(tasks["a"], "one"), RunEnd{Counted: true})
		b.wantEntry(tasks["b"], AcquireThrottled)
		b.enter(tasks["a"], "dead")
		b.redis.Del(b.ctx, keyRunLease("a"))
		b.wantEntry(tasks["b"], AcquireThrottled)
		changed := b.accept(titled(of("x", "a"), "new"))
		b.wantEntry(tasks["b"], AcquireThrottled)
		b.wantNext(b.enter(changed, "two"), provision.StatusReady, tasks["b"])
		b.enter(tasks["b"], "three")
	})
}

func TestAChangeOfAStoreThatWaitsKeepsItsPosition(t *testing.T) {
	limited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c")
		a := b.enter(tasks["a"], "run")
		b.wantEntry(tasks["c"], AcquireThrottled)
		b.wantEntry(tasks["b"], AcquireThrottled)
		changed := b.accept(titled(of("x", "b"), "new"))
		if s := b.state("b"); s.CreatorInProgress != 0 {
			b.Errorf("a request that has not asked yet is shown as %+v", s)
		}
		b.wantEntry(changed, AcquireThrottled)
		b.wantNext(a, provision.StatusReady, changed)
	})
}

// Nothing is held back of a store that had a verdict, and none of it counts.
func TestDeletesEqualRequestsAndChangesAreNeverHeldBack(t *testing.T) {
	limited(t, 1, func(b *bench) {
		for id, status := range map[string]provision.Status{"r": provision.StatusReady, "f": provision.StatusFailed, "d": provision.StatusReady} {
			b.end(b.accept(of("x", id)), status)
		}
		b.enter(b.accept(of("x", "a")), "run")
		waits := b.accept(of("x", "z"))
		b.wantEntry(waits, AcquireThrottled)
		b.enter(b.accept(of("x", "r")), "equal")
		b.enter(b.accept(titled(of("x", "f"), "new")), "changed")
		b.enter(b.accept(deletion("d")), "deleted")
		b.end(b.accept(deletion("z")), provision.StatusDeleted)
	})
}

// A change of a new store that names another creator is not held back by that one's stores.
func TestAStoreStaysInTheLineInWhichItBegan(t *testing.T) {
	limited(t, 1, func(b *bench) {
		b.enter(b.accept(of("y", "b")), "run")
		b.leave(b.enter(b.accept(of("x", "a")), "run"), RunEnd{})
		b.end(b.accept(of("y", "a")), provision.StatusReady)
		b.enter(b.accept(of("x", "c")), "run")
	})
}

// The run of a store that is deleted may still be inside: its place comes free when its delete is let in.
func TestADeleteGivesThePlaceBackWhenItBegins(t *testing.T) {
	limited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c")
		run := b.enter(tasks["a"], "run")
		b.wantEntry(tasks["b"], AcquireThrottled)
		b.wantEntry(tasks["c"], AcquireThrottled)
		gone, del := b.accept(deletion("b")), b.accept(deletion("a"))
		b.wantEntry(del, AcquireHeld)
		b.wantEntry(tasks["c"], AcquireThrottled)
		if next := b.enter(gone, "b").Next; next != nil {
			b.Errorf("the delete of a store that waited makes a place for %v", next)
		}
		b.leave(run, RunEnd{})
		if diff := cmp.Diff([]queue.Task{tasks["c"]}, b.enter(del, "a").Next); diff != "" {
			b.Error(diff)
		}
		b.enter(tasks["c"], "run")
	})
}

func TestAProvisionBehindADeleteIsNewWhenTheDeleteHasEnded(t *testing.T) {
	limited(t, 1, func(b *bench) {
		b.end(b.accept(of("x", "a")), provision.StatusReady)
		b.end(b.accept(of("x", "b")), provision.StatusReady)
		dels := map[string]Run{}
		for _, id := range []string{"a", "b"} {
			dels[id] = b.enter(b.accept(deletion(id)), "del")
		}
		again := b.acceptAll("x", "a", "b")
		other := b.accept(of("x", "c"))
		run := b.enter(other, "run") // nobody stands before it yet
		b.wantNext(dels["a"], provision.StatusDeleted, again["a"])
		b.wantEntry(again["a"], AcquireThrottled)
		b.wantNext(dels["b"], provision.StatusDeleteFailed, again["b"])
		b.enter(again["b"], "run") // goes on with what is there
		b.wantNext(run, provision.StatusReady, again["a"])
		b.enter(again["a"], "run")
	})
}

// Who has begun is not overtaken, and a lower limit stops nothing that has begun.
func TestWhatIsUnderWayGoesOn(t *testing.T) {
	limited(t, 3, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c", "d")
		for _, id := range []string{"a", "b", "c"} {
			b.leave(b.enter(tasks[id], "run"), RunEnd{})
		}
		b.set(Options{CreatorLimit: 1, Placement: b.options.Placement})
		b.wantEntry(tasks["d"], AcquireThrottled)
		b.wantNext(b.enter(tasks["c"], "run"), provision.StatusReady)
		b.wantNext(b.enter(tasks["b"], "run"), provision.StatusReady)
		b.wantEntry(tasks["d"], AcquireThrottled)
		b.wantNext(b.enter(tasks["a"], "run"), provision.StatusReady, tasks["d"])
	})
}

func TestTheDeadlineBeginsWithThePlace(t *testing.T) {
	limited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b")
		b.wantEntry(tasks["b"], AcquireThrottled)
		for _, id := range []string{"a", "b"} {
			b.redis.HSet(b.ctx, keyStore(id), "deadline", time.Now().Add(-time.Minute).UnixMilli())
		}
		a := b.enter(tasks["a"], "run")
		if a.TimeLeft > 0 {
			b.Errorf("%s are left to a store that never waited", a.TimeLeft)
		}
		b.wantNext(a, provision.StatusFailed, tasks["b"])
		run := b.enter(tasks["b"], "run")
		if run.TimeLeft < patience-time.Minute || run.TimeLeft > patience {
			b.Errorf("%s are left to a store that waited for its place", run.TimeLeft)
		}
		b.leave(run, RunEnd{})
		b.redis.HSet(b.ctx, keyStore("b"), "deadline", time.Now().Add(-time.Minute).UnixMilli())
		if run = b.enter(tasks["b"], "again"); run.TimeLeft > 0 {
			b.Errorf("its next run has %s left", run.TimeLeft)
		}
	})
}

// Whoever should have been woken and was not, is found by the sweeper; so is a place that nobody can give back.
func TestALookMendsALine(t *testing.T) {
	limited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c")
		a := b.enter(tasks["a"], "run")
		b.wantEntry(tasks["b"], AcquireThrottled)
		b.wantEntry(tasks["c"], AcquireThrottled)
		soon := func(id string, want bool) {
			b.Helper()
			if got := b.look(id).TryNow; got != want {
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
		b.enter(tasks["c"], "run")
		d := b.acceptAll("x", "d")["d"]
		b.wantEntry(d, AcquireThrottled)
		b.redis.Del(b.ctx, prefix+"creator-queue:x")
		soon("d", true)
		b.wantEntry(b.accept(of("x", "e")), AcquireThrottled)
		b.set(Options{CreatorLimit: 0, Placement: b.options.Placement})
		soon("e", true)
	})
}

// What the cluster remembers has begun, whatever Redis has lost of it: it is not held back, and gives its place back.
func TestARestoredStoreStandsInNoLine(t *testing.T) {
	limited(t, 1, func(b *bench) {
		tasks := b.acceptAll("x", "a", "b", "c")
		b.enter(tasks["a"], "run")
		b.wantEntry(tasks["b"], AcquireThrottled)
		newer := tasks["b"]
		newer.Generation++
		b.restore(remembered(newer, "", false), Restored)
		b.enter(newer, "run")
		if s := b.state("b"); s.CreatorInProgress != 0 {
			b.Errorf("a restored store is shown as %+v", s)
		}
		b.wantEntry(tasks["c"], AcquireThrottled)
		newer = tasks["a"]
		newer.Generation++
		b.restore(remembered(newer, provision.StatusReady, true), Restored)
		b.enter(tasks["c"], "run")
	})
}

package record

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// fail accepts a store and has its run fail. It returns what became of that.
func (b *bench) fail(req provision.Request, code provision.Code) (queue.Task, OutcomeResult) {
	b.Helper()
	task := b.accept(req)
	return task, b.failRun(b.acquire(task, "run of "+req.StoreID), code)
}

func (b *bench) failRun(run Run, code provision.Code) OutcomeResult {
	b.Helper()
	result, _, err := b.records.Runs.RecordOutcome(b.ctx, run, provision.StatusFailed, code, "image shop:1 cannot be pulled")
	b.release(run, RunEnd{Ended: result == OutcomeRecorded})
	return must(b, result, err)
}

// failures fails stores of n creators, all of which are told so.
func (b *bench) failures(n int, code provision.Code) {
	b.Helper()
	for i := range n {
		if _, got := b.fail(ofCreator(fmt.Sprint("creator-", code, i), fmt.Sprint(code, i)), code); got != OutcomeRecorded {
			b.Fatalf("failure %d: %s", i, got)
		}
	}
}

func (b *bench) holds() []provision.Hold {
	b.Helper()
	holds, err := b.records.Fleet.Holds(b.ctx)
	return must(b, holds, err)
}

var probeAt = regexp.MustCompile(`"probe_at":"\d+"`)

// later lets time pass for the probe of the only hold.
func (b *bench) later() {
	b.Helper()
	for field, text := range b.redis.HGetAll(b.ctx, keyHolds).Val() {
		b.redis.HSet(b.ctx, keyHolds, field, probeAt.ReplaceAllString(text, `"probe_at":"1"`))
	}
}

// TestOneCauseOneAlarm: the fifth creator that fails for one cause waits, and all that come after, until a probe succeeds.
func TestOneCauseOneAlarm(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{HoldAfter: 5})
		b.failures(4, provision.CodeImage)
		if len(b.holds()) != 0 {
			b.Fatal("four creators hold others up")
		}
		fifth, got := b.fail(ofCreator("e", "e"), provision.CodeImage)
		if got != OutcomeOnHold {
			b.Fatalf("the fifth: %s", got)
		}
		held := b.state("e")
		if held.Status != provision.StatusProvisioning || held.OnHoldSince.IsZero() || held.PendingCallbacks != 0 {
			b.Errorf("it is shown as %+v", held)
		}
		next := b.accept(ofCreator("f", "f"))
		b.wantAcquire(next, AcquireOnHold)
		holds := b.holds()
		if len(holds) != 1 || holds[0].Cluster != "default" || holds[0].Engine != "woocommerce" || holds[0].Code != provision.CodeImage ||
			holds[0].Stores != 2 || holds[0].Error == "" || time.Since(holds[0].Since) > time.Minute || holds[0].ProbeAt.Before(holds[0].Since) {
			b.Fatalf("holds: %+v", holds)
		}
		deleted := b.accept(deletion("creator-gone"))
		b.wantAcquire(deleted, Acquired)
		other := ofCreator("g", "g")
		other.Engine = "medusa"
		b.wantAcquire(b.accept(other), Acquired)

		b.later()
		probe := b.acquire(fifth, "probe")
		b.wantAcquire(next, AcquireOnHold)
		if got := b.failRun(probe, provision.CodeQuota); got != OutcomeOnHold {
			b.Errorf("the probe that fails too: %s", got)
		}
		b.later()
		probe = b.acquire(next, "probe")
		b.wantOutcome(probe, provision.StatusReady, OutcomeRecorded, 0)
		if len(b.holds()) != 0 {
			b.Error("a success lets none go on")
		}
		if !b.inspect("e").TryNow {
			b.Error("what waited is not tried at once")
		}
		if score := b.redis.ZScore(b.ctx, keyOutstanding, "e").Val(); time.UnixMilli(int64(score)).After(time.Now()) {
			b.Error("what waited is not looked at by the next sweep")
		}
		if got := b.failRun(b.acquire(fifth, "again"), provision.CodeImage); got != OutcomeRecorded {
			b.Errorf("after a success the failures are counted anew, and this is %s", got)
		}
	})
}

// TestOneCreatorHoldsUpNoOther: the stores of one creator count once, and so does one store without a creator that fails again and again.
func TestOneCreatorHoldsUpNoOther(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{HoldAfter: 2})
		for i := range 10 {
			if _, got := b.fail(ofCreator("x", fmt.Sprint(i)), provision.CodeInvalid); got != OutcomeRecorded {
				b.Fatalf("store %d of the creator: %s", i, got)
			}
		}
		b.redis.Del(b.ctx, prefix+"failures:default:woocommerce:invalid")
		for i := range 10 {
			if _, got := b.fail(titled(request("one"), fmt.Sprint(i)), provision.CodeInvalid); got != OutcomeRecorded {
				b.Fatalf("failure %d of a store: %s", i, got)
			}
		}
		if _, got := b.fail(request("two"), provision.CodeInvalid); got != OutcomeOnHold {
			b.Errorf("another store without a creator: %s", got)
		}
	})
}

// TestWhatHoldsNothingUp: causes that are the store's own, others than those before, and failures long ago.
func TestWhatHoldsNothingUp(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{HoldAfter: 3})
		b.failures(2, provision.CodeImage)
		b.failures(2, provision.CodeQuota)
		b.failures(5, provision.CodeCrash)
		b.failures(5, provision.CodeTimeout)
		for _, member := range b.redis.ZRange(b.ctx, prefix+"failures:default:woocommerce:image", 0, -1).Val() {
			b.redis.ZAdd(b.ctx, prefix+"failures:default:woocommerce:image", redis.Z{Score: float64(time.Now().Add(-11 * time.Minute).UnixMilli()), Member: member})
		}
		if _, got := b.fail(ofCreator("late", "late"), provision.CodeImage); got != OutcomeRecorded {
			b.Errorf("after ten minutes: %s", got)
		}
		b.set(Options{})
		b.failures(9, provision.CodeBlocked)
	})
}

// TestTimeOnHoldDoesNotCount: neither for the deadline, nor for the sweeper.
func TestTimeOnHoldDoesNotCount(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{HoldAfter: 1})
		task, _ := b.fail(request("a"), provision.CodeImage)
		b.redis.HIncrBy(b.ctx, keyStore("a"), "held_at", -(2 * generationTimeout).Milliseconds())
		b.redis.HIncrBy(b.ctx, keyStore("a"), "deadline", -(generationTimeout + time.Minute).Milliseconds())
		if open := b.inspect("a"); open.Overdue || open.TryNow || len(open.Runs) != 1 {
			b.Errorf("the sweeper sees %+v", open)
		}
		if found, err := b.records.Fleet.ReleaseHold(b.ctx, "default", "woocommerce"); !found || err != nil {
			b.Fatal(found, err)
		}
		if found, err := b.records.Fleet.ReleaseHold(b.ctx, "default", "woocommerce"); found || err != nil {
			b.Errorf("released twice: %t, %v", found, err)
		}
		run := b.acquire(task, "run")
		if run.TimeLeft < generationTimeout || run.Store.OnHold < 2*generationTimeout || !b.state("a").OnHoldSince.IsZero() {
			b.Errorf("%s are left, %s were on hold", run.TimeLeft, run.Store.OnHold)
		}
		b.release(run, RunEnd{})
		again := b.acquire(b.accept(titled(request("a"), "x")), "new")
		if again.Store.OnHold != 0 {
			b.Errorf("a newer request has %s from the one before", again.Store.OnHold)
		}
	})
}

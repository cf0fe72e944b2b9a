package record

import (
	"slices"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func (b *bench) dueHeals(within time.Duration) (ids []string) {
	b.Helper()
	failed, err := b.records.Fleet.DueHeals(b.ctx, "default", within, 10)
	for _, f := range must(b, failed, err) {
		if f.Namespace != "store-"+f.Task.StoreID || f.Task.Generation != b.state(f.Task.StoreID).Generation {
			b.Errorf("%+v", f)
		}
		ids = append(ids, f.Task.StoreID)
	}
	return ids
}

// inTime moves the next look at all stores, and their failures, into the past.
func (b *bench) inTime(d time.Duration, ids ...string) {
	for _, id := range ids {
		b.redis.ZIncrBy(b.ctx, keyHealing("default"), -float64(d.Milliseconds()), id)
		b.redis.HIncrBy(b.ctx, keyStore(id), "decided_at", -d.Milliseconds())
	}
}

// TestAFailedStoreIsLookedAtForAWhile: ever more rarely, until it is well, asked for again, or too old. READY follows FAILED then, once.
func TestAFailedStoreIsLookedAtForAWhile(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{Heal: true})
		task, _ := b.fail(request("a"), provision.CodeVolume)
		other, _ := b.fail(request("b"), provision.CodeTimeout)
		b.fail(request("invalid"), provision.CodeInvalid)
		b.fail(request("conflict"), provision.CodeConflict)
		died := b.accept(request("died"))
		b.acquire(died, "dies")
		b.redis.Del(b.ctx, keyRunLease("died"))
		b.failRun(b.acquire(died, "follows"), provision.CodeCrash)
		if got := b.dueHeals(time.Hour); len(got) != 0 {
			b.Errorf("at once: %v", got)
		}
		b.inTime(2*time.Minute+time.Second, "a", "b")
		if got := b.dueHeals(time.Hour); !slices.Equal(got, []string{"a", "b"}) || len(b.dueHeals(time.Hour)) != 0 {
			b.Errorf("after two minutes: %v", got)
		}
		b.accept(titled(request("b"), "x"))
		b.inTime(10*time.Minute, "a", "b")
		if got := b.dueHeals(time.Hour); !slices.Equal(got, []string{"a"}) {
			b.Errorf("after a request for the other: %v", got)
		}
		b.wantAcquire(queue.Task{Op: provision.OpProvision, StoreID: "b", Generation: other.Generation, Cluster: "default"}, AcquireSuperseded)
		b.deliver("a")
		run := b.acquire(task, "heals")
		b.wantOutcome(run, provision.StatusReady, OutcomeRecorded, 0)
		b.release(run, RunEnd{Ended: true})
		if told := statuses(b.deliver("a")); !slices.Equal(told, []provision.Status{provision.StatusReady}) {
			b.Errorf("told after FAILED: %v", told)
		}
		b.inTime(2*time.Hour, "a")
		if got := b.dueHeals(24 * time.Hour); len(got) != 0 {
			b.Errorf("a store that is well: %v", got)
		}
		b.fail(request("old"), provision.CodeImage)
		b.inTime(2*time.Hour, "old")
		if got := b.dueHeals(time.Hour); len(got) != 0 || b.redis.ZCard(b.ctx, keyHealing("default")).Val() != 0 {
			b.Errorf("one that is too old: %v", got)
		}
		b.set(Options{})
		b.fail(request("off"), provision.CodeImage)
		if n := b.redis.ZCard(b.ctx, keyHealing("default")).Val(); n != 0 {
			b.Errorf("where none heals %d stores are looked at", n)
		}
	})
}

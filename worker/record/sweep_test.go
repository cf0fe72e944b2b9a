package record

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func (b *bench) due(n int) []string {
	b.Helper()
	ids, err := b.records.Recovery.Due(b.ctx, n, time.Hour)
	return must(b, ids, err)
}

// makeDue makes the next inspection of stores due now.
func (b *bench) makeDue(ids ...string) {
	b.Helper()
	for i, id := range ids {
		b.redis.ZAdd(b.ctx, keyOutstanding, redis.Z{Score: float64(i + 1), Member: id})
	}
}

func TestDueTakesEachStoreOncePerPause(t *testing.T) {
	each(t, func(b *bench) {
		for _, id := range []string{"a", "b", "c"} {
			b.accept(request(id))
		}
		if got := b.due(10); len(got) != 0 {
			b.Errorf("just accepted, and due: %v", got)
		}
		b.makeDue("a", "b", "c")
		if diff := cmp.Diff([]string{"a", "b"}, b.due(2)); diff != "" {
			b.Error(diff)
		}
		if diff := cmp.Diff([]string{"c"}, b.due(2)); diff != "" {
			b.Error(diff)
		}
		if got := b.due(2); len(got) != 0 {
			b.Errorf("due again before the pause has passed: %v", got)
		}
	})
}

func TestInspectFindsWhatIsOutstanding(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		if diff := cmp.Diff(Outstanding{Runs: []queue.Task{task}, Callbacks: []queue.CallbackTask{}}, b.inspect("a")); diff != "" {
			b.Error(diff)
		}
		b.end(task, provision.StatusReady)
		if diff := cmp.Diff(Outstanding{Callbacks: []queue.CallbackTask{{StoreID: "a", Generation: task.Generation, Sequence: 1, Cluster: provision.DefaultCluster}}}, b.inspect("a")); diff != "" {
			b.Error(diff)
		}
		del := b.accept(deletion("a"))
		next := b.accept(request("a"))
		if diff := cmp.Diff([]queue.Task{del, next}, b.inspect("a").Runs); diff != "" {
			b.Error(diff)
		}
		b.end(del, provision.StatusDeleted)
		if diff := cmp.Diff([]queue.Task{next}, b.inspect("a").Runs); diff != "" {
			b.Error(diff)
		}
		if got := b.inspect("unknown"); len(got.Runs)+len(got.Callbacks) != 0 {
			b.Errorf("an unknown store waits for %+v", got)
		}
	})
}

// The sweeper does not inspect for ever a store that has nothing outstanding.
func TestInspectClosesWhatIsNotOutstanding(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.deliver("a")
		b.makeDue("a", "gone")
		for _, id := range b.due(10) {
			b.inspect(id)
		}
		if b.outstanding("a") || b.outstanding("gone") {
			b.Error("a store that waits for nothing stays outstanding")
		}
		if n := b.redis.Exists(b.ctx, keyStore("gone")).Val(); n != 0 {
			b.Error("Inspect made a record")
		}
	})
}

func TestLeadSweepIsHeldByOneSweeper(t *testing.T) {
	each(t, func(b *bench) {
		lead := func(token string) bool {
			b.Helper()
			ok, err := b.records.Recovery.LeadSweep(b.ctx, token, leaseTTL)
			return must(b, ok, err)
		}
		if !lead("one") || lead("two") || !lead("one") {
			b.Error("the lease is not one process's")
		}
		b.redis.PExpire(b.ctx, keySweepLease, time.Second)
		lead("one")
		if ttl := b.redis.PTTL(b.ctx, keySweepLease).Val(); ttl < leaseTTL/2 {
			b.Errorf("a kept lease ends in %s", ttl)
		}
		if err := b.records.Recovery.ResignSweep(b.ctx, "two"); err != nil || lead("two") {
			b.Errorf("another process resigned for the leader: %v", err)
		}
		if err := b.records.Recovery.ResignSweep(b.ctx, "one"); err != nil || !lead("two") {
			b.Errorf("the lease was not given back: %v", err)
		}
	})
}

func TestWatchNamesStoresWithANewerGenerationAndTheirQueues(t *testing.T) {
	each(t, func(b *bench) {
		ctx, cancel := context.WithCancel(b.ctx)
		heard, queues, ended := make(chan string, 100), make(chan string, 100), make(chan struct{})
		go func() {
			defer close(ended)
			b.records.Runs.Watch(ctx, func(id string) { heard <- id }, func(queue string) { queues <- queue })
		}()
		// Messages before the subscription are lost by design, so accept until one comes.
		deadline := time.After(10 * time.Second)
		for i, done := 0, false; !done; i++ {
			b.accept(titled(request("a"), time.Duration(i).String()))
			select {
			case id := <-heard:
				done = true
				if id != "a" {
					b.Errorf("heard of %q", id)
				}
				if queue := <-queues; queue != "provision" {
					b.Errorf("its task is to be in queue %q", queue)
				}
			case <-time.After(10 * time.Millisecond):
			case <-deadline:
				b.Fatal("nothing was heard")
			}
		}
		cancel()
		<-ended
	})
}

func TestInspectNamesWhatIsLongPastItsDeadline(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		overdue := func(after time.Duration) bool {
			b.redis.HSet(b.ctx, keyStore("a"), "deadline", time.Now().Add(-after).UnixMilli())
			return b.inspect("a").Overdue
		}
		if overdue(-time.Hour) || overdue(time.Minute) || !overdue(time.Hour) {
			b.Error("overdue is not what passed some time ago")
		}
		b.end(task, provision.StatusReady)
		if overdue(time.Hour) {
			b.Error("a store that has its outcome is overdue")
		}
	})
}

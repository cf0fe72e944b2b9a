package record

import (
	"testing"
	"time"

	"orchestrator/provision"
)

// counts are the numbers of the installation's stores.
func (b *bench) counts(clusters ...string) Counts {
	b.Helper()
	c, err := b.records.Stats.Count(b.ctx, []string{"woocommerce", "medusa"}, clusters)
	return must(b, c, err)
}

func (c Counts) stores(status provision.Status, engine, cluster string) int64 {
	for _, g := range c.Groups {
		if g.Status == status && g.Engine == engine && g.Cluster == cluster {
			return g.Stores
		}
	}
	return -1
}

func TestCountsFollowTheStores(t *testing.T) {
	each(t, func(b *bench) {
		if c := b.counts("default"); c.PendingCallbacks != 0 || !c.OldestPendingCallback.IsZero() || c.stores(provision.StatusReady, "medusa", "default") != 0 {
			b.Errorf("without stores: %+v", c)
		}
		first := b.accept(request("a"))
		b.accept(request("b"))
		c := b.counts("default", "eu")
		if c.stores(provision.StatusProvisioning, request("a").Engine, "default") != 2 || c.stores(provision.StatusProvisioning, request("a").Engine, "eu") != 0 {
			b.Errorf("with two stores under way: %+v", c.Groups)
		}
		if since := c.since(provision.OpProvision, "default"); since.UnixMilli() != first.Generation {
			b.Errorf("the oldest is under way since %s", since)
		}
		b.end(first, provision.StatusReady)
		b.accept(deletion("b"))
		c = b.counts("default")
		if c.stores(provision.StatusReady, request("a").Engine, "default") != 1 || c.stores(provision.StatusDeleting, request("b").Engine, "default") != 1 {
			b.Errorf("with one that is ready and one that is being deleted: %+v", c.Groups)
		}
		if !c.since(provision.OpProvision, "default").IsZero() || c.since(provision.OpDelete, "default").IsZero() {
			b.Errorf("the oldest: %+v", c.Oldest)
		}
		b.accept(deletion("unknown"))
		if n := b.counts("default").stores(provision.StatusDeleting, "other", "default"); n != 1 {
			b.Errorf("%d deletes of unknown stores are counted", n)
		}
	})
}

func (c Counts) since(op provision.Op, cluster string) time.Time {
	for _, o := range c.Oldest {
		if o.Op == op && o.Cluster == cluster {
			return o.Since
		}
	}
	return time.Time{}
}

// Stores that wait for their creator's turn are not under way: nothing is stuck.
func TestAStoreThatWaitsIsNotTheOldest(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{CreatorLimit: 1})
		first, waits := b.accept(ofCreator("x", "a")), b.accept(ofCreator("x", "b"))
		run := b.acquire(first, "run")
		b.wantAcquire(waits, AcquireThrottled)
		b.release(run, RunEnd{})
		if err := b.redis.ZRem(b.ctx, keyFleet("group", "PROVISIONING:"+request("a").Engine+":default"), "a").Err(); err != nil {
			t.Fatal(err)
		}
		if since := b.counts("default").since(provision.OpProvision, "default"); !since.IsZero() {
			b.Errorf("a store that waits is under way since %s", since)
		}
	})
}

func TestPendingCallbacksAreCountedUntilTheyAreDelivered(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.end(b.accept(request("b")), provision.StatusFailed)
		c := b.counts("default")
		if c.PendingCallbacks != 2 || time.Since(c.OldestPendingCallback) > time.Minute || c.DeadLetters != 0 {
			b.Errorf("with two that are pending: %+v", c)
		}
		b.deliver("a")
		letter := b.refuse("b", "404", false)
		if c := b.counts("default"); c.PendingCallbacks != 0 || c.DeadLetters != 1 {
			b.Errorf("with one delivered and one refused: %+v", c)
		}
		b.wantReplay(letter.ID(), provision.ReplayQueued)
		if c := b.counts("default"); c.PendingCallbacks != 1 || c.DeadLetters != 0 {
			b.Errorf("with one replayed: %+v", c)
		}
		b.accept(request("b")) // a newer request: the callback is obsolete, and dropped where it is met
		b.accept(deletion("b"))
		b.inspect("b")
		if c := b.counts("default"); c.PendingCallbacks != 0 {
			b.Errorf("an obsolete one is still counted: %+v", c)
		}
	})
}

// A version before knew neither index: the first look and the sweeper fill them.
func TestCountsOfRecordsWithoutTheirIndexes(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.redis.Del(b.ctx, keyFleet("group", "READY:"+request("a").Engine+":default"), keyPendingCallbacks, keyFleetGrouped)
		b.redis.HDel(b.ctx, keyStore("a"), "indexed")
		b.inspect("a")
		if c := b.counts("default"); c.stores(provision.StatusReady, request("a").Engine, "default") != 1 || c.PendingCallbacks != 1 {
			b.Errorf("%+v", c)
		}
	})
}

func TestMemoryOfRedisIsKnown(t *testing.T) {
	each(t, func(b *bench) {
		used, err := b.records.Stats.MemoryUsed(b.ctx)
		if err == nil && (used <= 0 || used > 1) {
			b.Errorf("%v of the memory is used", used)
		}
	})
	for text, want := range map[string]float64{"used_memory:1048576\r\nused_memory_human:1M\r\n": 1048576, "": 0, "maxmemory_human:0B\r\n": 0} {
		if got := infoNumber(text, "used_memory"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

package record

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// keepDeadLetter lets the backend refuse the store's next callback.
func (b *bench) keepDeadLetter(id, reason string) Callback {
	b.Helper()
	return b.refuse(id, reason, false)
}

func (b *bench) refuse(id, reason string, forgotten bool) Callback {
	b.Helper()
	claim, call := b.claim(id, "delivery")
	if claim != Claimed {
		b.Fatalf("store %s has nothing to deliver: %s", id, claim)
	}
	if err := b.records.Callbacks.KeepDeadLetter(b.ctx, call, reason, forgotten); err != nil {
		b.Fatal(err)
	}
	if err := b.records.Callbacks.ReleaseClaim(b.ctx, id, "delivery"); err != nil {
		b.Fatal(err)
	}
	return call
}

func (b *bench) deadLetters(cursor string, limit int) provision.DeadLetters {
	b.Helper()
	page, err := b.records.Callbacks.DeadLetters(b.ctx, cursor, limit)
	return must(b, page, err)
}

// deadLetterIDs are the ids of the dead letters; the two keys that hold them must agree.
func (b *bench) deadLetterIDs() (ids []string) {
	b.Helper()
	for _, l := range b.deadLetters("", 1000).DeadLetters {
		ids = append(ids, l.ID)
	}
	if dead, indexed := b.redis.HLen(b.ctx, keyDeadLetters).Val(), b.redis.ZCard(b.ctx, keyDeadLetterTimes).Val(); dead != indexed || int(dead) != len(ids) {
		b.Errorf("%d dead letters, %d in the index, %d listed", dead, indexed, len(ids))
	}
	return ids
}

func (b *bench) wantReplay(id string, want provision.ReplayResult) {
	b.Helper()
	got, _, err := b.records.Callbacks.Replay(b.ctx, id)
	if must(b, got, err) != want {
		b.Fatalf("replay of %s: %s, want %s", id, got, want)
	}
}

func TestKeepDeadLetterKeepsARefusedCallback(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusFailed)
		before := b.redis.Time(b.ctx).Val().Truncate(time.Millisecond)
		call := b.keepDeadLetter("a", "404 no such store")
		if err := b.records.Callbacks.KeepDeadLetter(b.ctx, call, "404 no such store", true); err != nil { // its answer was lost
			b.Fatal(err)
		}
		got := b.deadLetters("", 10)
		if len(got.DeadLetters) != 1 || got.DeadLetters[0].RefusedAt.Before(before) || got.DeadLetters[0].RefusedAt.After(b.redis.Time(b.ctx).Val()) {
			b.Fatalf("dead letters %+v", got)
		}
		want := provision.DeadLetter{ID: call.ID(), StoreID: "a", Generation: call.Generation, Sequence: 1, Status: provision.StatusFailed,
			Code: provision.CodeTimeout, Error: "it took too long", Reason: "404 no such store", At: time.UnixMilli(call.At).UTC(), RefusedAt: got.DeadLetters[0].RefusedAt}
		if diff := cmp.Diff(provision.DeadLetters{DeadLetters: []provision.DeadLetter{want}}, got); diff != "" {
			b.Error(diff)
		}
		if b.outstanding("a") || b.state("a").PendingCallbacks != 0 {
			b.Error("a dead letter keeps its store outstanding")
		}
	})
}

func TestKeepDeadLetterIgnoresADeliveredCallback(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		delivered := b.deliver("a")
		if err := b.records.Callbacks.KeepDeadLetter(b.ctx, delivered[0], "400", false); err != nil { // by a delivery whose claim had expired
			b.Fatal(err)
		}
		if ids := b.deadLetterIDs(); len(ids) != 0 {
			b.Errorf("dead letters %v", ids)
		}
	})
}

func TestDeadLettersArePagedFromTheLatest(t *testing.T) {
	each(t, func(b *bench) {
		var want []string
		for i := range 5 {
			id := fmt.Sprint("s", i)
			b.end(b.accept(request(id)), provision.StatusReady)
			want = append([]string{b.keepDeadLetter(id, "400").ID()}, want...)
		}
		var got []string
		pages := 0
		for cursor := ""; pages == 0 || cursor != ""; pages++ {
			page := b.deadLetters(cursor, 2)
			for _, l := range page.DeadLetters {
				got = append(got, l.ID)
			}
			cursor = page.Next
		}
		if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
			b.Errorf("%d pages: %s", pages, diff)
		}
		if _, err := b.records.Callbacks.DeadLetters(b.ctx, "x", 2); provision.CodeOf(err) != provision.CodeInvalid {
			b.Errorf("a foreign cursor: %v", err)
		}
	})
}

func TestDeadLettersWithoutAnyIsAnEmptyPage(t *testing.T) {
	each(t, func(b *bench) {
		if page := b.deadLetters("", 10); page.DeadLetters == nil || len(page.DeadLetters) != 0 || page.Next != "" {
			b.Errorf("%+v", page)
		}
	})
}

func TestReplayDeliversOnceUnderTheSameID(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(titled(request("a"), `Käse & "Brot" / <b>`)), provision.StatusFailed)
		dead := b.keepDeadLetter("a", "400")
		for range 2 { // its answer was lost
			b.wantReplay(dead.ID(), provision.ReplayQueued)
		}
		if ids := b.deadLetterIDs(); len(ids) != 0 || !b.outstanding("a") || b.state("a").PendingCallbacks != 1 {
			b.Errorf("dead letters %v, outstanding %v, %d pending callbacks", ids, b.outstanding("a"), b.state("a").PendingCallbacks)
		}
		delivered := b.deliver("a")
		if len(delivered) != 1 || delivered[0].ReplayedAt < dead.At {
			b.Fatalf("delivered %+v", delivered)
		}
		delivered[0].ReplayedAt = 0
		if diff := cmp.Diff(dead, delivered[0]); diff != "" {
			b.Errorf("refused and delivered differ: %s", diff)
		}
		if b.outstanding("a") {
			b.Error("everything is delivered, and the store is outstanding")
		}
		b.wantReplay(dead.ID(), provision.ReplayUnknown)
	})
}

func TestReplayReportsUnknownDeadLetters(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		task := b.accept(titled(request("a"), "new"))
		b.end(task, provision.StatusReady) // sequence 2 waits
		dead := b.keepDeadLetter("a", "400")
		for _, id := range []string{"", "a", "1.1", "1.1.", "x.1.a", "1.x.a", "1.1.a", "1.2.a", "1.1./", "+1.1.a", "01.1.a", "1..a",
			"0" + dead.ID(), dead.ID() + "b", strings.Repeat("1", 40) + ".1.a"} {
			b.wantReplay(id, provision.ReplayUnknown)
		}
		if ids := b.deadLetterIDs(); len(ids) != 1 {
			b.Errorf("dead letters %v", ids)
		}
	})
}

func TestReplayRefusedAgainKeepsTheNewReason(t *testing.T) {
	each(t, func(b *bench) {
		for _, id := range []string{"a", "b"} {
			b.end(b.accept(request(id)), provision.StatusReady)
		}
		first, other := b.keepDeadLetter("a", "400 first"), b.keepDeadLetter("b", "400")
		b.wantReplay(first.ID(), provision.ReplayQueued)
		again := b.keepDeadLetter("a", "422 second")
		if diff := cmp.Diff([]string{first.ID(), other.ID()}, b.deadLetterIDs()); diff != "" {
			b.Error(diff)
		}
		if l := b.deadLetters("", 1).DeadLetters[0]; l.Reason != "422 second" || again.ID() != first.ID() {
			b.Errorf("%+v", l)
		}
		b.wantReplay(first.ID(), provision.ReplayQueued)
		if got := b.deliver("a"); len(got) != 1 || got[0].ID() != first.ID() {
			b.Errorf("delivered %+v", got)
		}
	})
}

func TestReplayDeliversTheLowestSequenceFirst(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleteFailed)
		first := b.keepDeadLetter("a", "400")
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		second := b.keepDeadLetter("a", "400")
		b.end(b.accept(request("a")), provision.StatusReady)
		b.wantReplay(second.ID(), provision.ReplayQueued)
		b.wantReplay(first.ID(), provision.ReplayQueued)
		want := []provision.Status{provision.StatusDeleteFailed, provision.StatusDeleted, provision.StatusReady}
		if diff := cmp.Diff(want, statuses(b.deliver("a"))); diff != "" {
			b.Error(diff)
		}
	})
}

// Delivered now, the older outcome would stand.
func TestReplayDropsAnOvertakenDeadLetter(t *testing.T) {
	tests := map[string]struct {
		dead provision.Status // the outcome that is refused
		then func(*bench)     // what happens before it is replayed
		want provision.ReplayResult
	}{
		"READY, a newer request":         {provision.StatusReady, func(b *bench) { b.accept(titled(request("a"), "new")) }, provision.ReplayDropped},
		"FAILED, a newer request":        {provision.StatusFailed, func(b *bench) { b.accept(titled(request("a"), "new")) }, provision.ReplayDropped},
		"READY, deleted":                 {provision.StatusReady, func(b *bench) { b.accept(deletion("a")) }, provision.ReplayDropped},
		"READY, nothing":                 {provision.StatusReady, func(*bench) {}, provision.ReplayQueued},
		"DELETED, a newer request":       {provision.StatusDeleted, func(b *bench) { b.accept(request("a")) }, provision.ReplayQueued},
		"DELETED, a newer one delivered": {provision.StatusDeleted, func(b *bench) { b.end(b.accept(request("a")), provision.StatusReady); b.deliver("a") }, provision.ReplayDropped},
		"DELETED, a newer one dead":      {provision.StatusDeleted, func(b *bench) { b.end(b.accept(request("a")), provision.StatusReady); b.keepDeadLetter("a", "400") }, provision.ReplayQueued},
		"READY, the record is gone":      {provision.StatusReady, func(b *bench) { b.redis.Del(b.ctx, keyStore("a")) }, provision.ReplayDropped},
		"FAILED, it succeeded later":     {provision.StatusFailed, func(b *bench) { b.succeedLater("a"); b.deliver("a") }, provision.ReplayDropped},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(b *bench) {
				task := b.accept(request("a"))
				if test.dead == provision.StatusDeleted {
					task = b.accept(deletion("a"))
				}
				b.end(task, test.dead)
				dead := b.keepDeadLetter("a", "400")
				test.then(b)
				b.wantReplay(dead.ID(), test.want)
				if test.want == provision.ReplayDropped {
					b.wantReplay(dead.ID(), provision.ReplayUnknown)
					for _, call := range b.deliver("a") {
						if call.ID() == dead.ID() {
							b.Error("it is delivered")
						}
					}
				}
			})
		})
	}
}

// succeedLater lets the failed newest generation of a store succeed after all.
func (b *bench) succeedLater(id string) {
	b.Helper()
	b.end(queue.Task{Op: provision.OpProvision, StoreID: id, Generation: b.state(id).Generation, Cluster: provision.DefaultCluster}, provision.StatusReady)
}

// A dead letter that is replayed while a later callback is being delivered must not come after it.
func TestReplayDuringADeliveryDoesNotComeLate(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusFailed)
		dead := b.keepDeadLetter("a", "400")
		b.succeedLater("a")
		_, ready := b.claim("a", "delivery")
		b.wantReplay(dead.ID(), provision.ReplayQueued)
		if err := b.records.Callbacks.MarkDelivered(b.ctx, ready); err != nil {
			b.Fatal(err)
		}
		if claim, call := b.claim("a", "delivery"); claim != ClaimEmpty {
			b.Errorf("%s %+v is delivered after READY", claim, call)
		}
	})
}

func TestReplayOfADeletedStoreKeepsTheRecordUntilDelivered(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		dead := b.keepDeadLetter("a", "400")
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl <= 0 {
			b.Errorf("after DELETED was refused, the record expires in %s", ttl)
		}
		b.wantReplay(dead.ID(), provision.ReplayQueued)
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl != -1 {
			b.Errorf("while it waits to be delivered, the record expires in %s", ttl)
		}
		b.deliver("a")
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl <= 0 {
			b.Errorf("after DELETED was delivered, the record expires in %s", ttl)
		}
	})
}

func TestReplayWithoutTheRecord(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		dead := b.keepDeadLetter("a", "400")
		b.redis.Del(b.ctx, keyStore("a")) // expires
		b.wantReplay(dead.ID(), provision.ReplayQueued)
		delivered := b.deliver("a")
		if len(delivered) != 1 || delivered[0].ID() != dead.ID() || delivered[0].Store.StoreID != "a" {
			b.Errorf("delivered %+v", delivered)
		}
		if b.redis.Exists(b.ctx, keyStore("a")).Val() != 0 || b.outstanding("a") {
			b.Error("the dead letter made a record, or left the store outstanding")
		}
	})
}

func TestKeepDeadLetterDropsTheOldest(t *testing.T) {
	each(t, func(b *bench) {
		pipe := b.redis.Pipeline()
		stuff := func(id string, died time.Time) {
			pipe.HSet(b.ctx, keyDeadLetters, id, `{"store_id":"x","generation":"1","sequence":"1","at":"1"}`)
			pipe.ZAdd(b.ctx, keyDeadLetterTimes, redis.Z{Score: float64(died.UnixMicro()), Member: id})
		}
		now := b.redis.Time(b.ctx).Val()
		stuff("too old", now.Add(-deadLettersKeep-time.Minute))
		stuff("the oldest", now.Add(-deadLettersKeep+time.Hour))
		for i := range deadLettersMost - 1 {
			stuff(fmt.Sprint(i), now.Add(-time.Hour+time.Duration(i)*time.Millisecond))
		}
		if _, err := pipe.Exec(b.ctx); err != nil {
			b.Fatal(err)
		}
		b.end(b.accept(request("a")), provision.StatusReady)
		dead := b.keepDeadLetter("a", "400")
		if n := b.redis.HLen(b.ctx, keyDeadLetters).Val(); n != deadLettersMost || b.redis.ZCard(b.ctx, keyDeadLetterTimes).Val() != n {
			b.Errorf("%d dead letters", n)
		}
		for id, kept := range map[string]bool{"too old": false, "the oldest": false, "0": true, dead.ID(): true} {
			if b.redis.HExists(b.ctx, keyDeadLetters, id).Val() != kept {
				b.Errorf("%s is there: %v", id, !kept)
			}
		}
	})
}

// A dead letter that was removed by hand does not break the list.
func TestDeadLettersSkipsOneRemovedByHand(t *testing.T) {
	each(t, func(b *bench) {
		for _, id := range []string{"a", "b"} {
			b.end(b.accept(request(id)), provision.StatusReady)
		}
		kept, removed := b.keepDeadLetter("a", "400"), b.keepDeadLetter("b", "400")
		b.redis.HDel(b.ctx, keyDeadLetters, removed.ID())
		if page := b.deadLetters("", 10); len(page.DeadLetters) != 1 || page.DeadLetters[0].ID != kept.ID() {
			b.Errorf("%+v", page)
		}
		b.wantReplay(removed.ID(), provision.ReplayUnknown)
	})
}

func TestStoreShowsItsDeadLetter(t *testing.T) {
	each(t, func(b *bench) {
		want := func(want string) {
			b.Helper()
			if got := b.state("a").DeadLetterID; got != want {
				b.Errorf("dead letter id is %q, want %q", got, want)
			}
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleteFailed)
		want("")
		first := b.keepDeadLetter("a", "400")
		want(first.ID())
		b.wantReplay(first.ID(), provision.ReplayQueued)
		want("")
		b.keepDeadLetter("a", "400")
		b.end(b.accept(deletion("a")), provision.StatusDeleteFailed)
		second := b.keepDeadLetter("a", "400")
		want(second.ID())
		b.wantReplay(first.ID(), provision.ReplayQueued)
		b.deliver("a")
		want(second.ID()) // an older one was confirmed
		b.end(b.accept(request("a")), provision.StatusReady)
		want(second.ID())
		b.deliver("a")
		want("") // a later one
	})
}

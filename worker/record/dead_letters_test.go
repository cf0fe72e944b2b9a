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

// bury lets the backend refuse the store's next callback.
func (b *bench) bury(id, reason string) Callback {
	b.Helper()
	turn, call := b.turn(id, "teller")
	if turn != Claimed {
		b.Fatalf("store %s has nothing to tell: %s", id, turn)
	}
	if err := b.records.Callbacks.KeepDeadLetter(b.ctx, call, reason); err != nil {
		b.Fatal(err)
	}
	if err := b.records.Callbacks.ReleaseClaim(b.ctx, id, "teller"); err != nil {
		b.Fatal(err)
	}
	return call
}

func (b *bench) letters(cursor string, limit int) provision.DeadLetters {
	b.Helper()
	page, err := b.records.Callbacks.DeadLetters(b.ctx, cursor, limit)
	return must(b, page, err)
}

// ids are the dead letters, and whether the two keys that hold them agree.
func (b *bench) letterIDs() (ids []string) {
	b.Helper()
	for _, l := range b.letters("", 1000).DeadLetters {
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

func TestARefusedCallbackIsADeadLetter(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusFailed)
		before := b.redis.Time(b.ctx).Val().Truncate(time.Millisecond)
		call := b.bury("a", "404 no such store")
		if err := b.records.Callbacks.KeepDeadLetter(b.ctx, call, "404 no such store"); err != nil { // its answer was lost
			b.Fatal(err)
		}
		got := b.letters("", 10)
		if len(got.DeadLetters) != 1 || got.DeadLetters[0].RefusedAt.Before(before) || got.DeadLetters[0].RefusedAt.After(b.redis.Time(b.ctx).Val()) {
			b.Fatalf("letters %+v", got)
		}
		want := provision.DeadLetter{ID: call.ID(), StoreID: "a", Generation: call.Generation, Sequence: 1, Status: provision.StatusFailed,
			Code: provision.CodeTimeout, Error: "it took too long", Reason: "404 no such store", At: time.UnixMilli(call.At).UTC(), RefusedAt: got.DeadLetters[0].RefusedAt}
		if diff := cmp.Diff(provision.DeadLetters{DeadLetters: []provision.DeadLetter{want}}, got); diff != "" {
			b.Error(diff)
		}
		if b.open("a") || b.state("a").PendingCallbacks != 0 {
			b.Error("a buried callback keeps its store open")
		}
	})
}

func TestNobodyBuriesWhatIsClosed(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		told := b.tell("a")
		if err := b.records.Callbacks.KeepDeadLetter(b.ctx, told[0], "400"); err != nil { // by a delivery whose turn had run out
			b.Fatal(err)
		}
		if ids := b.letterIDs(); len(ids) != 0 {
			b.Errorf("letters %v", ids)
		}
	})
}

func TestLettersComeInPagesTheLatestFirst(t *testing.T) {
	each(t, func(b *bench) {
		var want []string
		for i := range 5 {
			id := fmt.Sprint("s", i)
			b.end(b.accept(request(id)), provision.StatusReady)
			want = append([]string{b.bury(id, "400").ID()}, want...)
		}
		var got []string
		pages := 0
		for cursor := ""; pages == 0 || cursor != ""; pages++ {
			page := b.letters(cursor, 2)
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

func TestNoLettersAreAnEmptyPage(t *testing.T) {
	each(t, func(b *bench) {
		if page := b.letters("", 10); page.DeadLetters == nil || len(page.DeadLetters) != 0 || page.Next != "" {
			b.Errorf("%+v", page)
		}
	})
}

func TestAReplayedLetterIsToldUnderItsOwnIDAndOnce(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(titled(request("a"), `Käse & "Brot" / <b>`)), provision.StatusFailed)
		dead := b.bury("a", "400")
		for range 2 { // its answer was lost
			b.wantReplay(dead.ID(), provision.ReplayQueued)
		}
		if ids := b.letterIDs(); len(ids) != 0 || !b.open("a") || b.state("a").PendingCallbacks != 1 {
			b.Errorf("letters %v, open %v, %d pending callbacks", ids, b.open("a"), b.state("a").PendingCallbacks)
		}
		told := b.tell("a")
		if len(told) != 1 || told[0].ReplayedAt < dead.At {
			b.Fatalf("told %+v", told)
		}
		told[0].ReplayedAt = 0
		if diff := cmp.Diff(dead, told[0]); diff != "" {
			b.Errorf("refused and told differ: %s", diff)
		}
		if b.open("a") {
			b.Error("everything is told, and the store is open")
		}
		b.wantReplay(dead.ID(), provision.ReplayUnknown)
	})
}

func TestUnknownLettersAreReported(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		task := b.accept(titled(request("a"), "new"))
		b.end(task, provision.StatusReady) // sequence 2 waits
		dead := b.bury("a", "400")
		for _, id := range []string{"", "a", "1.1", "1.1.", "x.1.a", "1.x.a", "1.1.a", "1.2.a", "1.1./", "+1.1.a", "01.1.a", "1..a",
			"0" + dead.ID(), dead.ID() + "b", strings.Repeat("1", 40) + ".1.a"} {
			b.wantReplay(id, provision.ReplayUnknown)
		}
		if ids := b.letterIDs(); len(ids) != 1 {
			b.Errorf("letters %v", ids)
		}
	})
}

func TestALetterRefusedAgainComesBackWithTheNewReason(t *testing.T) {
	each(t, func(b *bench) {
		for _, id := range []string{"a", "b"} {
			b.end(b.accept(request(id)), provision.StatusReady)
		}
		first, other := b.bury("a", "400 first"), b.bury("b", "400")
		b.wantReplay(first.ID(), provision.ReplayQueued)
		again := b.bury("a", "422 second")
		if diff := cmp.Diff([]string{first.ID(), other.ID()}, b.letterIDs()); diff != "" {
			b.Error(diff)
		}
		if l := b.letters("", 1).DeadLetters[0]; l.Reason != "422 second" || again.ID() != first.ID() {
			b.Errorf("%+v", l)
		}
		b.wantReplay(first.ID(), provision.ReplayQueued)
		if got := b.tell("a"); len(got) != 1 || got[0].ID() != first.ID() {
			b.Errorf("told %+v", got)
		}
	})
}

func TestTheLowestSequenceIsToldFirst(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleteFailed)
		first := b.bury("a", "400")
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		second := b.bury("a", "400")
		b.end(b.accept(request("a")), provision.StatusReady)
		b.wantReplay(second.ID(), provision.ReplayQueued)
		b.wantReplay(first.ID(), provision.ReplayQueued)
		want := []provision.Status{provision.StatusDeleteFailed, provision.StatusDeleted, provision.StatusReady}
		if diff := cmp.Diff(want, statuses(b.tell("a"))); diff != "" {
			b.Error(diff)
		}
	})
}

// MarkDelivered now, the older truth would stand.
func TestALetterThatIsOvertakenIsDropped(t *testing.T) {
	tests := map[string]struct {
		dead provision.Status // the verdict that is refused
		then func(*bench)     // what happens before it is replayed
		want provision.ReplayResult
	}{
		"READY, a newer request":     {provision.StatusReady, func(b *bench) { b.accept(titled(request("a"), "new")) }, provision.ReplayDropped},
		"FAILED, a newer request":    {provision.StatusFailed, func(b *bench) { b.accept(titled(request("a"), "new")) }, provision.ReplayDropped},
		"READY, deleted":             {provision.StatusReady, func(b *bench) { b.accept(deletion("a")) }, provision.ReplayDropped},
		"READY, nothing":             {provision.StatusReady, func(*bench) {}, provision.ReplayQueued},
		"DELETED, a newer request":   {provision.StatusDeleted, func(b *bench) { b.accept(request("a")) }, provision.ReplayQueued},
		"DELETED, a newer one told":  {provision.StatusDeleted, func(b *bench) { b.end(b.accept(request("a")), provision.StatusReady); b.tell("a") }, provision.ReplayDropped},
		"DELETED, a newer one dead":  {provision.StatusDeleted, func(b *bench) { b.end(b.accept(request("a")), provision.StatusReady); b.bury("a", "400") }, provision.ReplayQueued},
		"READY, the record is gone":  {provision.StatusReady, func(b *bench) { b.redis.Del(b.ctx, keyStore("a")) }, provision.ReplayDropped},
		"FAILED, it succeeded later": {provision.StatusFailed, func(b *bench) { b.mended("a"); b.tell("a") }, provision.ReplayDropped},
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
				dead := b.bury("a", "400")
				test.then(b)
				b.wantReplay(dead.ID(), test.want)
				if test.want == provision.ReplayDropped {
					b.wantReplay(dead.ID(), provision.ReplayUnknown)
					for _, call := range b.tell("a") {
						if call.ID() == dead.ID() {
							b.Error("it is told")
						}
					}
				}
			})
		})
	}
}

// mended lets the failed newest generation of a store succeed after all.
func (b *bench) mended(id string) {
	b.Helper()
	b.end(queue.Task{Op: provision.OpProvision, StoreID: id, Generation: b.state(id).Generation, Cluster: provision.DefaultCluster}, provision.StatusReady)
}

// A letter that is put back while a later callback is on its way must not come after it.
func TestALetterReplayedDuringADeliveryDoesNotComeLate(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusFailed)
		dead := b.bury("a", "400")
		b.mended("a")
		_, ready := b.turn("a", "teller")
		b.wantReplay(dead.ID(), provision.ReplayQueued)
		if err := b.records.Callbacks.MarkDelivered(b.ctx, ready); err != nil {
			b.Fatal(err)
		}
		if turn, call := b.turn("a", "teller"); turn != ClaimEmpty {
			b.Errorf("%s %+v is told after READY", turn, call)
		}
	})
}

func TestALetterOfADeletedStoreIsToldAndTheRecordExpiresAfterwards(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		dead := b.bury("a", "400")
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl <= 0 {
			b.Errorf("after DELETED was refused, the record expires in %s", ttl)
		}
		b.wantReplay(dead.ID(), provision.ReplayQueued)
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl != -1 {
			b.Errorf("while it waits to be told, the record expires in %s", ttl)
		}
		b.tell("a")
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl <= 0 {
			b.Errorf("after DELETED was told, the record expires in %s", ttl)
		}
	})
}

func TestALetterMayOutliveTheRecord(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		dead := b.bury("a", "400")
		b.redis.Del(b.ctx, keyStore("a")) // expires
		b.wantReplay(dead.ID(), provision.ReplayQueued)
		told := b.tell("a")
		if len(told) != 1 || told[0].ID() != dead.ID() || told[0].Store.StoreID != "a" {
			b.Errorf("told %+v", told)
		}
		if b.redis.Exists(b.ctx, keyStore("a")).Val() != 0 || b.open("a") {
			b.Error("the letter made a record, or left the store open")
		}
	})
}

func TestDeadLettersDoNotGrowWithoutBound(t *testing.T) {
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
		dead := b.bury("a", "400")
		if n := b.redis.HLen(b.ctx, keyDeadLetters).Val(); n != deadLettersMost || b.redis.ZCard(b.ctx, keyDeadLetterTimes).Val() != n {
			b.Errorf("%d letters", n)
		}
		for id, kept := range map[string]bool{"too old": false, "the oldest": false, "0": true, dead.ID(): true} {
			if b.redis.HExists(b.ctx, keyDeadLetters, id).Val() != kept {
				b.Errorf("%s is there: %v", id, !kept)
			}
		}
	})
}

// A letter that somebody has removed by hand does not break the list.
func TestALetterRemovedByHandIsNotListed(t *testing.T) {
	each(t, func(b *bench) {
		for _, id := range []string{"a", "b"} {
			b.end(b.accept(request(id)), provision.StatusReady)
		}
		kept, removed := b.bury("a", "400"), b.bury("b", "400")
		b.redis.HDel(b.ctx, keyDeadLetters, removed.ID())
		if page := b.letters("", 10); len(page.DeadLetters) != 1 || page.DeadLetters[0].ID != kept.ID() {
			b.Errorf("%+v", page)
		}
		b.wantReplay(removed.ID(), provision.ReplayUnknown)
	})
}

func TestAStoreShowsItsRefusedCallback(t *testing.T) {
	each(t, func(b *bench) {
		want := func(want string) {
			b.Helper()
			if got := b.state("a").DeadLetterID; got != want {
				b.Errorf("dead letter id is %q, want %q", got, want)
			}
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleteFailed)
		want("")
		first := b.bury("a", "400")
		want(first.ID())
		b.wantReplay(first.ID(), provision.ReplayQueued)
		want("")
		b.bury("a", "400")
		b.end(b.accept(deletion("a")), provision.StatusDeleteFailed)
		second := b.bury("a", "400")
		want(second.ID())
		b.wantReplay(first.ID(), provision.ReplayQueued)
		b.tell("a")
		want(second.ID()) // an older one was confirmed
		b.end(b.accept(request("a")), provision.StatusReady)
		want(second.ID())
		b.tell("a")
		want("") // a later one
	})
}

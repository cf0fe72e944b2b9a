package record

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func (b *bench) turn(id, token string) (ClaimResult, Callback) {
	b.Helper()
	turn, call, err := b.records.Callbacks.Claim(b.ctx, id, token, lease)
	return must(b, turn, err), call
}

func TestCallbacksAreToldInOrder(t *testing.T) {
	each(t, func(b *bench) {
		// Twelve deletes: as text, sequence 10 would come before 2. DELETED is never dropped.
		for range 12 {
			b.end(b.accept(deletion("a")), provision.StatusDeleted)
		}
		tasks, err := b.records.Callbacks.Pending(b.ctx, "a")
		if must(b, tasks, err); len(tasks) != 12 {
			b.Fatalf("%d callbacks are untold", len(tasks))
		}
		for i, call := range b.tell("a") {
			if call.Sequence != int64(i+1) || tasks[i] != (queue.CallbackTask{StoreID: "a", Generation: call.Generation, Sequence: call.Sequence, Cluster: provision.DefaultCluster}) {
				b.Errorf("callback %d is %+v, its task %+v", i, call, tasks[i])
			}
			want := strconv.FormatInt(call.Generation, 10) + "." + strconv.Itoa(i+1) + ".a"
			if call.ID() != want || tasks[i].ID() != want {
				b.Errorf("id %q, task id %q, want %q", call.ID(), tasks[i].ID(), want)
			}
		}
	})
}

func TestOneTellsAtATime(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		if turn, _ := b.turn("a", "one"); turn != Claimed {
			b.Fatal(turn)
		}
		if turn, _ := b.turn("a", "two"); turn != ClaimHeld {
			b.Errorf("a second teller: %s", turn)
		}
		if turn, _ := b.turn("a", "one"); turn != Claimed {
			b.Errorf("the first teller again: %s", turn)
		}
		if err := b.records.Callbacks.ReleaseClaim(b.ctx, "a", "two"); err != nil {
			b.Fatal(err)
		}
		if turn, _ := b.turn("a", "two"); turn != ClaimHeld {
			b.Errorf("a stranger passed the turn on: %s", turn)
		}
		if err := b.records.Callbacks.ReleaseClaim(b.ctx, "a", "one"); err != nil {
			b.Fatal(err)
		}
		if turn, _ := b.turn("a", "two"); turn != Claimed {
			b.Errorf("after the turn was passed: %s", turn)
		}
	})
}

func TestATurnEndsWithItsLeaseAndIsExtended(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		if _, _, err := b.records.Callbacks.Claim(b.ctx, "a", "dead", 50*time.Millisecond); err != nil {
			b.Fatal(err)
		}
		redistest.Elapse(b.url, 100*time.Millisecond)
		if _, _, err := b.records.Callbacks.Claim(b.ctx, "a", "live", time.Second); err != nil {
			b.Fatal(err)
		}
		if turn, _ := b.turn("a", "live"); turn != Claimed {
			b.Fatal(turn)
		}
		if ttl := b.redis.PTTL(b.ctx, keyCallbackLease("a")).Val(); ttl < lease/2 {
			b.Errorf("an extended turn ends in %s", ttl)
		}
	})
}

func TestStaleCallbacksAreDropped(t *testing.T) {
	each(t, func(b *bench) {
		progress := func(task queue.Task) Run {
			_, run, err := b.records.Runs.Acquire(b.ctx, task, task.ID(), lease, true)
			return must(b, run, err)
		}
		wantTold := func(id string, want ...provision.Status) {
			b.Helper()
			if diff := cmp.Diff(want, statuses(b.tell(id))); diff != "" {
				b.Errorf("%s: %s", id, diff)
			}
			if n := b.redis.Exists(b.ctx, keyCallbacks(id)).Val(); n != 0 {
				b.Errorf("%s: something is left", id)
			}
		}
		b.leave(progress(b.accept(request("a"))), RunEnd{})
		b.accept(titled(request("a"), "new"))
		wantTold("a") // PROVISIONING of an older generation

		run := progress(b.accept(request("b")))
		b.wantRuling(run, provision.StatusReady, OutcomeRecorded, 0)
		wantTold("b", provision.StatusReady) // no PROVISIONING once READY exists

		for id, status := range map[string]provision.Status{"c": provision.StatusReady, "d": provision.StatusFailed} {
			b.end(b.accept(request(id)), status)
			b.accept(titled(request(id), "new"))
			wantTold(id)
		}
		for id, status := range map[string]provision.Status{"e": provision.StatusDeleted, "f": provision.StatusDeleteFailed} {
			b.end(b.accept(deletion(id)), status)
			b.end(b.accept(request(id)), provision.StatusReady)
			wantTold(id, status, provision.StatusReady)
		}
		b.end(b.accept(request("g")), provision.StatusReady)
		b.end(b.accept(deletion("g")), provision.StatusDeleteFailed)
		b.end(b.accept(deletion("g")), provision.StatusDeleted)
		wantTold("g", provision.StatusDeleteFailed, provision.StatusDeleted)
	})
}

func TestAStoreStaysOpenUntilAllIsTold(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		if !b.open("a") {
			b.Error("accepted, and not open")
		}
		b.end(task, provision.StatusReady)
		if !b.open("a") {
			b.Error("decided, not told, and not open")
		}
		_, call := b.turn("a", "teller")
		newer := b.accept(titled(request("a"), "new"))
		if err := b.records.Callbacks.MarkDelivered(b.ctx, call); err != nil {
			b.Fatal(err)
		}
		if !b.open("a") {
			b.Error("an older generation was told, and the newer one is not open")
		}
		b.end(newer, provision.StatusReady)
		del := b.accept(deletion("a"))
		b.accept(request("a"))
		b.end(del, provision.StatusDeleted)
		b.tell("a")
		if !b.open("a") {
			b.Error("the provision behind a delete is not open")
		}
	})
}

func TestToldTwiceIsTold(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		_, call := b.turn("a", "teller")
		for range 2 {
			if err := b.records.Callbacks.MarkDelivered(b.ctx, call); err != nil {
				b.Fatal(err)
			}
		}
		if s := b.state("a"); s.PendingCallbacks != 0 || b.open("a") {
			b.Errorf("the record says %+v", s)
		}
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl != -1 {
			b.Errorf("the record of a live store expires in %s", ttl)
		}
		if turn, _ := b.turn("a", "teller"); turn != ClaimEmpty {
			b.Errorf("the next turn: %s", turn)
		}
	})
}

func TestTellingARecordThatIsGoneLeavesNothing(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		told := b.tell("a")
		b.redis.Del(b.ctx, keyStore("a")) // expires
		if err := b.records.Callbacks.MarkDelivered(b.ctx, told[0]); err != nil {
			b.Fatal(err)
		}
		if n := b.redis.Exists(b.ctx, keyStore("a")).Val(); n != 0 {
			b.Error("a late delivery made a record")
		}
	})
}

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

func (b *bench) claim(id, token string) (ClaimResult, Callback) {
	b.Helper()
	claim, call, err := b.records.Callbacks.Claim(b.ctx, id, token, leaseTTL)
	return must(b, claim, err), call
}

func TestClaimDeliversInOrder(t *testing.T) {
	each(t, func(b *bench) {
		// Twelve deletes: as text, sequence 10 would come before 2. DELETED is never dropped.
		for range 12 {
			b.end(b.accept(deletion("a")), provision.StatusDeleted)
		}
		tasks, err := b.records.Callbacks.Pending(b.ctx, "a")
		if must(b, tasks, err); len(tasks) != 12 {
			b.Fatalf("%d callbacks are pending", len(tasks))
		}
		for i, call := range b.deliver("a") {
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

func TestClaimIsHeldByOneDelivery(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		if claim, _ := b.claim("a", "one"); claim != Claimed {
			b.Fatal(claim)
		}
		if claim, _ := b.claim("a", "two"); claim != ClaimHeld {
			b.Errorf("a second delivery: %s", claim)
		}
		if claim, _ := b.claim("a", "one"); claim != Claimed {
			b.Errorf("the first delivery again: %s", claim)
		}
		if err := b.records.Callbacks.ReleaseClaim(b.ctx, "a", "two"); err != nil {
			b.Fatal(err)
		}
		if claim, _ := b.claim("a", "two"); claim != ClaimHeld {
			b.Errorf("another delivery released the claim: %s", claim)
		}
		if err := b.records.Callbacks.ReleaseClaim(b.ctx, "a", "one"); err != nil {
			b.Fatal(err)
		}
		if claim, _ := b.claim("a", "two"); claim != Claimed {
			b.Errorf("after the claim was released: %s", claim)
		}
	})
}

func TestClaimExpiresAndIsExtended(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		if _, _, err := b.records.Callbacks.Claim(b.ctx, "a", "dead", 50*time.Millisecond); err != nil {
			b.Fatal(err)
		}
		redistest.Elapse(b.url, 100*time.Millisecond)
		if _, _, err := b.records.Callbacks.Claim(b.ctx, "a", "live", time.Second); err != nil {
			b.Fatal(err)
		}
		if claim, _ := b.claim("a", "live"); claim != Claimed {
			b.Fatal(claim)
		}
		if ttl := b.redis.PTTL(b.ctx, keyCallbackLease("a")).Val(); ttl < leaseTTL/2 {
			b.Errorf("an extended claim ends in %s", ttl)
		}
	})
}

func TestClaimDropsStaleCallbacks(t *testing.T) {
	each(t, func(b *bench) {
		progress := func(task queue.Task) Run {
			_, run, err := b.records.Runs.Acquire(b.ctx, task, task.ID(), leaseTTL, true)
			return must(b, run, err)
		}
		wantDelivered := func(id string, want ...provision.Status) {
			b.Helper()
			if diff := cmp.Diff(want, statuses(b.deliver(id))); diff != "" {
				b.Errorf("%s: %s", id, diff)
			}
			if n := b.redis.Exists(b.ctx, keyCallbacks(id)).Val(); n != 0 {
				b.Errorf("%s: something is left", id)
			}
		}
		b.release(progress(b.accept(request("a"))), RunEnd{})
		b.accept(titled(request("a"), "new"))
		wantDelivered("a") // PROVISIONING of an older generation

		run := progress(b.accept(request("b")))
		b.wantOutcome(run, provision.StatusReady, OutcomeRecorded, 0)
		wantDelivered("b", provision.StatusReady) // no PROVISIONING once READY exists

		for id, status := range map[string]provision.Status{"c": provision.StatusReady, "d": provision.StatusFailed} {
			b.end(b.accept(request(id)), status)
			b.accept(titled(request(id), "new"))
			wantDelivered(id)
		}
		for id, status := range map[string]provision.Status{"e": provision.StatusDeleted, "f": provision.StatusDeleteFailed} {
			b.end(b.accept(deletion(id)), status)
			b.end(b.accept(request(id)), provision.StatusReady)
			wantDelivered(id, status, provision.StatusReady)
		}
		b.end(b.accept(request("g")), provision.StatusReady)
		b.end(b.accept(deletion("g")), provision.StatusDeleteFailed)
		b.end(b.accept(deletion("g")), provision.StatusDeleted)
		wantDelivered("g", provision.StatusDeleteFailed, provision.StatusDeleted)
	})
}

func TestMarkDeliveredKeepsAStoreOutstandingUntilAllIsDelivered(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		if !b.outstanding("a") {
			b.Error("accepted, and not outstanding")
		}
		b.end(task, provision.StatusReady)
		if !b.outstanding("a") {
			b.Error("with an outcome, not delivered, and not outstanding")
		}
		_, call := b.claim("a", "delivery")
		newer := b.accept(titled(request("a"), "new"))
		if err := b.records.Callbacks.MarkDelivered(b.ctx, call); err != nil {
			b.Fatal(err)
		}
		if !b.outstanding("a") {
			b.Error("an older generation was delivered, and the newer one is not outstanding")
		}
		b.end(newer, provision.StatusReady)
		del := b.accept(deletion("a"))
		b.accept(request("a"))
		b.end(del, provision.StatusDeleted)
		b.deliver("a")
		if !b.outstanding("a") {
			b.Error("the provision behind a delete is not outstanding")
		}
	})
}

func TestMarkDeliveredTwice(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		_, call := b.claim("a", "delivery")
		for range 2 {
			if err := b.records.Callbacks.MarkDelivered(b.ctx, call); err != nil {
				b.Fatal(err)
			}
		}
		if s := b.state("a"); s.PendingCallbacks != 0 || b.outstanding("a") {
			b.Errorf("the record says %+v", s)
		}
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl != -1 {
			b.Errorf("the record of a live store expires in %s", ttl)
		}
		if claim, _ := b.claim("a", "delivery"); claim != ClaimEmpty {
			b.Errorf("the next claim: %s", claim)
		}
	})
}

func TestMarkDeliveredMakesNoRecord(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		delivered := b.deliver("a")
		b.redis.Del(b.ctx, keyStore("a")) // expires
		if err := b.records.Callbacks.MarkDelivered(b.ctx, delivered[0]); err != nil {
			b.Fatal(err)
		}
		if n := b.redis.Exists(b.ctx, keyStore("a")).Val(); n != 0 {
			b.Error("a late delivery made a record")
		}
	})
}

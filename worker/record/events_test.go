package record

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// eventsOf are a store's events in words, but for its steps.
func (b *bench) eventsOf(id string) string {
	b.Helper()
	events, err := b.records.Events.OfStore(b.ctx, id, "", 1000)
	if err != nil {
		b.Fatal(err)
	}
	var words []string
	for _, e := range events {
		if e.StoreID != id || e.ID == "" || e.At.IsZero() {
			b.Errorf("event %+v", e)
		}
		if e.Kind != provision.EventStep {
			words = append(words, strings.TrimSpace(fmt.Sprintf("%s:%s %s", e.Kind, e.Status, e.Code)))
		}
	}
	return strings.Join(words, ", ")
}

func TestEventsTellTheStoryOfAStore(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		b.try(task.Generation, 1, provision.StepReady, "")
		run := b.acquire(task, "run")
		b.wantOutcome(run, provision.StatusReady, OutcomeRecorded, 0)
		b.release(run, RunEnd{Ended: true})
		b.deliver("a")
		deletion := b.accept(deletion("a"))
		b.end(deletion, provision.StatusDeleted)
		b.refuse("a", "404", true)
		want := "accepted:PROVISIONING, outcome:READY, delivered:READY, accepted:DELETING, outcome:DELETED, refused:DELETED"
		if got := b.eventsOf("a"); got != want {
			b.Errorf("told %s,\nwant %s", got, want)
		}
		all, _ := b.redis.XLen(b.ctx, keyEvents).Result()
		if all != 6 {
			b.Errorf("%d events of all stores", all)
		}
	})
}

func TestEventsGoOnAfterTheLastOneThatWasSeen(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		first, err := b.records.Events.OfStore(b.ctx, "a", "", 10)
		if err != nil || len(first) != 1 {
			b.Fatal(first, err)
		}
		b.try(task.Generation, 1, provision.StepNamespace, "")
		next, err := b.records.Events.OfStore(b.ctx, "a", first[0].ID, 1)
		if err != nil || len(next) != 1 || next[0].Kind != provision.EventStep || next[0].Step.Name != provision.StepNamespace {
			b.Errorf("next are %+v, %v", next, err)
		}
		for _, id := range []string{"x", "1", "1-", "-1-1", "1-1-1", "+", "(1-1", "1 1", "18446744073709551615-18446744073709551615"} {
			if _, err := b.records.Events.OfStore(b.ctx, "a", id, 1); provision.CodeOf(err) != provision.CodeInvalid {
				b.Errorf("after %q: %v", id, err)
			}
		}
	})
}

func TestNewestEventsChangeWithWhatHappens(t *testing.T) {
	each(t, func(b *bench) {
		newest := func() map[string]string {
			ids, err := b.records.Events.Newest(b.ctx, []string{"a", "none"})
			if err != nil {
				b.Fatal(err)
			}
			return ids
		}
		if ids := newest(); len(ids) != 0 {
			b.Errorf("nothing has happened: %v", ids)
		}
		task := b.accept(request("a"))
		accepted := newest()
		b.accept(request("b"))
		other := newest()
		b.try(task.Generation, 1, provision.StepNamespace, "")
		stepped := newest()
		if err := b.records.Callbacks.NoteDelivery(b.ctx, "a", provision.Delivery{NextAt: time.Now()}); err != nil {
			b.Fatal(err)
		}
		if told := newest(); told["a"] == stepped["a"] || told[""] == stepped[""] {
			b.Errorf("a delivery changes %v to %v", stepped, told)
		}
		if accepted[""] == "" || accepted["a"] == "" || other[""] == accepted[""] || other["a"] != accepted["a"] || stepped[""] != other[""] || stepped["a"] == other["a"] {
			b.Errorf("newest events %v, %v, %v", accepted, other, stepped)
		}
	})
}

func TestHistoryKeepsTheLastGenerations(t *testing.T) {
	each(t, func(b *bench) {
		var last queue.Task
		for i := range 25 {
			req := request("a")
			req.StoreURL = fmt.Sprintf("https://%s/%d", req.Host, i)
			last = b.accept(req)
			b.end(last, provision.StatusReady)
		}
		failing := b.accept(deletion("a"))
		run := b.acquire(failing, "run")
		b.wantOutcome(run, provision.StatusDeleteFailed, OutcomeRecorded, 0)
		history := b.state("a").History
		if len(history) != 20 {
			b.Fatalf("%d generations", len(history))
		}
		newest, before := history[0], history[1]
		if newest.Generation != failing.Generation || newest.Op != provision.OpDelete || newest.Status != provision.StatusDeleteFailed || newest.Code == "" || newest.DecidedAt.IsZero() {
			b.Errorf("newest %+v", newest)
		}
		if before.Generation != last.Generation || before.Status != provision.StatusReady || before.AcceptedAt.IsZero() || before.DecidedAt.Before(before.AcceptedAt) {
			b.Errorf("before %+v", before)
		}
	})
}

func TestHistoryHasTheDeleteThatANewerRequestWaitedFor(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		gone := b.accept(deletion("a"))
		run := b.acquire(gone, "run")
		b.accept(request("a"))
		b.recordOutcome(run, provision.StatusDeleted)
		history := b.state("a").History
		if len(history) != 3 || history[1].Status != provision.StatusDeleted || history[1].DecidedAt.IsZero() || history[0].Status != provision.StatusProvisioning {
			b.Errorf("history %+v", history)
		}
	})
}

func TestHistorySaysWhoAsked(t *testing.T) {
	each(t, func(b *bench) {
		from := provision.WithOrigin(b.ctx, provision.Origin{By: "billing", RequestID: "r-1"})
		if _, err := b.records.Requests.Accept(from, request("a"), generationTimeout); err != nil {
			b.Fatal(err)
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		history := b.state("a").History
		if len(history) != 2 || history[1].RequestedBy != "billing" || history[1].RequestID != "r-1" || history[0].RequestedBy != "" {
			b.Errorf("history %+v", history)
		}
	})
}

func TestDeliveriesAreKeptForAWhile(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("a"))
		for i := range 300 {
			d := provision.Delivery{At: time.UnixMilli(int64(i)).UTC(), Generation: 1, Status: provision.StatusReady, Result: "retry", HTTPStatus: 503, NextAt: time.UnixMilli(9).UTC()}
			if err := b.records.Callbacks.NoteDelivery(b.ctx, "a", d); err != nil {
				b.Fatal(err)
			}
		}
		kept := b.state("a").Deliveries
		if len(kept) != deliveriesMost || kept[0].At.UnixMilli() != 299 || kept[0].HTTPStatus != 503 {
			b.Errorf("%d deliveries, the latest %+v", len(kept), kept[0])
		}
		if ttl := b.redis.TTL(b.ctx, keyDeliveries("a")).Val(); ttl <= 0 || ttl > deliveriesKeep {
			b.Errorf("kept for %s", ttl)
		}
		if n := b.redis.LLen(b.ctx, keyDeliveries("a")).Val(); n != deliveriesMost {
			b.Errorf("%d are in Redis", n)
		}
	})
}

func TestWhatARunWaitsForIsShownWhileItRuns(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		run := b.acquire(task, "run")
		before, _ := b.records.Events.Newest(b.ctx, []string{"a"})
		if err := b.records.Runs.NoteWaits(b.ctx, "a", "pod a-0: image missing"); err != nil {
			b.Fatal(err)
		}
		if after, _ := b.records.Events.Newest(b.ctx, []string{"a"}); b.state("a").WaitsFor != "pod a-0: image missing" || after["a"] == before["a"] {
			b.Errorf("waits for %q", b.state("a").WaitsFor)
		}
		b.release(run, RunEnd{})
		if waits := b.state("a").WaitsFor; waits != "" {
			b.Errorf("after its run it waits for %q", waits)
		}
		if err := b.records.Runs.NoteWaits(b.ctx, "a", ""); err != nil || b.redis.Exists(b.ctx, keyWaits("a")).Val() != 0 {
			b.Error("it is kept", err)
		}
	})
}

func TestWhatIsOldIsNoNews(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		told := b.eventsOf("a")
		b.redis.HSet(b.ctx, keyStore("a"), "indexed", `{"status":"READY","engine":"woocommerce","cluster":"default","id_is":"a"}`) // by a version without history
		b.redis.Del(b.ctx, keyHistory("a"))
		if _, err := b.records.Fleet.NoteUnwell(b.ctx, "default", map[string]string{"store-a": "x"}); err != nil {
			b.Fatal(err)
		}
		if now := b.eventsOf("a"); now != told || len(b.state("a").History) != 1 {
			b.Errorf("told %s, history %+v", now, b.state("a").History)
		}
	})
}

func TestAReplayAfterItsRecordLeavesNothing(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.deliver("a")
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		letter := b.keepDeadLetter("a", "404")
		b.redis.Del(b.ctx, keyStore("a"), keyJournal("a"), keyHistory("a")) // as their expiry does
		b.wantReplay(letter.ID(), provision.ReplayQueued)
		b.deliver("a")
		if n := b.redis.Exists(b.ctx, keyJournal("a"), keyHistory("a")).Val(); n != 0 {
			b.Errorf("%d keys are left of a store that is gone", n)
		}
	})
}

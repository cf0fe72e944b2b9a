package record

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
)

func TestAcceptRecordsANewStore(t *testing.T) {
	each(t, func(b *bench) {
		before := time.Now().Add(-time.Millisecond)
		got, err := b.records.Requests.Accept(b.ctx, request("a"), generationTimeout)
		if err != nil {
			b.Fatal(err)
		}
		if got.Joined || got.Generation < before.UnixMilli() || got.Generation > time.Now().UnixMilli() {
			b.Errorf("got %+v, want a new generation near now", got)
		}
		if want := strconv.FormatInt(got.Generation, 10) + ".a"; got.TaskID != want {
			b.Errorf("task id %q, want %q", got.TaskID, want)
		}
		s := b.state("a")
		if s.Status != provision.StatusProvisioning || s.Generation != got.Generation || s.Deadline.Sub(s.AcceptedAt) != generationTimeout {
			b.Errorf("the record says %+v", s)
		}
	})
}

func TestAcceptJoinsAnEqualLiveRequest(t *testing.T) {
	each(t, func(b *bench) {
		for _, req := range []provision.Request{request("a"), deletion("b")} {
			first := b.accept(req)
			b.acquire(first, "run") // running does not end its being live
			again, err := b.records.Requests.Accept(b.ctx, req, generationTimeout)
			if err != nil || !again.Joined || again.Generation != first.Generation || again.TaskID != first.ID() {
				b.Errorf("%s repeated: %+v, %v; want to join %d", req.Action, again, err, first.Generation)
			}
		}
	})
}

func TestAcceptSupersedesADifferentRequest(t *testing.T) {
	each(t, func(b *bench) {
		first := b.accept(request("a"))
		second := b.accept(titled(request("a"), "new"))
		if second.Generation <= first.Generation {
			b.Errorf("generation %d follows %d", second.Generation, first.Generation)
		}
		b.wantAcquire(first, AcquireSuperseded)
		if run := b.acquire(second, "run"); run.Store.Settings.Title != "new" || run.Store.Generation != second.Generation {
			b.Errorf("the run is of %+v", run.Store)
		}
		third := b.accept(request("a")) // equal to the first, which is no longer live
		if third.Generation <= second.Generation {
			b.Error("a request joined a generation that was superseded")
		}
	})
}

func TestAcceptAfterAnyOutcomeIsANewGeneration(t *testing.T) {
	each(t, func(b *bench) {
		for i, status := range []provision.Status{provision.StatusReady, provision.StatusFailed, provision.StatusDeleted, provision.StatusDeleteFailed} {
			id := "s" + strconv.Itoa(i)
			req := request(id)
			if i >= 2 {
				b.end(b.accept(req), provision.StatusReady)
				req = deletion(id)
			}
			first := b.accept(req)
			b.end(first, status)
			again, err := b.records.Requests.Accept(b.ctx, req, generationTimeout)
			if err != nil || again.Joined || again.Generation <= first.Generation {
				b.Errorf("after %s: %+v, %v; want a new generation", status, again, err)
			}
			if s := b.state(id); s.Status != req.Action.Progress() || s.Error != "" || !s.DecidedAt.IsZero() {
				b.Errorf("after %s the new generation shows %+v", status, s)
			}
		}
	})
}

func TestAcceptGrowsGenerationsWhileTheClockGoesBack(t *testing.T) {
	m := redistest.MiniServer(t)
	b := newBench(t, redistest.URL(m))
	m.SetTime(time.UnixMilli(2_000_000))
	first := b.accept(request("a"))
	m.SetTime(time.UnixMilli(1_000_000))
	second := b.accept(titled(request("a"), "later"))
	if second.Generation != first.Generation+1 {
		t.Errorf("generation %d follows %d", second.Generation, first.Generation)
	}
	b.end(second, provision.StatusReady)
	if got := b.deliver("a"); len(got) != 1 || got[0].Generation != second.Generation {
		t.Errorf("delivered %+v", got)
	}
}

// phases bring a store to each state in which it lives.
var phases = map[string]func(b *bench, id string){
	"accepted": func(b *bench, id string) {},
	"running":  func(b *bench, id string) { b.acquire(b.accept(request(id)), "run") },
	"ready":    func(b *bench, id string) { b.end(b.accept(request(id)), provision.StatusReady) },
	"failed":   func(b *bench, id string) { b.end(b.accept(request(id)), provision.StatusFailed) },
	"deleting": func(b *bench, id string) { b.accept(deletion(id)) },
	"delete failed": func(b *bench, id string) {
		b.end(b.accept(deletion(id)), provision.StatusDeleteFailed)
	},
	"waiting": func(b *bench, id string) {
		b.accept(deletion(id))
		b.accept(titled(request(id), "again"))
	},
}

func TestAcceptRefusesAnotherIdentityOfALiveStore(t *testing.T) {
	changes := map[string]func(*provision.Request){
		"engine":    func(r *provision.Request) { r.Engine = "medusa" },
		"name":      func(r *provision.Request) { r.Name = "other" },
		"namespace": func(r *provision.Request) { r.Namespace = "other" },
	}
	each(t, func(b *bench) {
		for phase, reach := range phases {
			id := strings.ReplaceAll(phase, " ", "-")
			b.accept(request(id))
			reach(b, id)
			before := b.redis.HGetAll(b.ctx, keyStore(id)).Val()
			for field, change := range changes {
				req := request(id)
				change(&req)
				if got := b.refused(req); !strings.HasPrefix(got, field+" of store "+id) {
					b.Errorf("%s, %s changed: %q", phase, field, got)
				}
			}
			if after := b.redis.HGetAll(b.ctx, keyStore(id)).Val(); len(after) != len(before) || after["gen"] != before["gen"] {
				b.Errorf("%s: a refused request changed the record to %v", phase, after)
			}
		}
	})
}

func TestAcceptTakesAnotherIdentityOfADeletedStore(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		req := request("a")
		req.Engine, req.Name, req.Namespace = "medusa", "other", "elsewhere"
		if run := b.acquire(b.accept(req), "run"); run.Store.Request != req {
			b.Errorf("the run is of %+v", run.Store)
		}
	})
}

func TestAcceptADeleteOfAnUnknownStore(t *testing.T) {
	each(t, func(b *bench) {
		del := b.accept(deletion("ghost"))
		run := b.acquire(del, "run")
		if run.Op != provision.OpDelete || run.Store.StoreID != "ghost" {
			b.Errorf("the run is %+v", run)
		}
		b.wantOutcome(run, provision.StatusDeleted, OutcomeRecorded, 0)
		if got := b.deliver("ghost"); len(got) != 1 || got[0].Status != provision.StatusDeleted {
			b.Errorf("delivered %+v", got)
		}
		if b.outstanding("ghost") {
			b.Error("the store is still outstanding")
		}
	})
}

func TestAcquireWaitsForTheDeleteOfAnUnknownStore(t *testing.T) {
	each(t, func(b *bench) {
		del := b.accept(deletion("ghost"))
		b.wantAcquire(b.accept(request("ghost")), AcquireWaiting)
		b.acquire(del, "run")
	})
}

func TestAcceptEndsTheExpiryOfADeletedStore(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("a"))
		if err := b.records.Runs.AppendStep(b.ctx, "a", provision.Step{Name: "one"}); err != nil {
			b.Fatal(err)
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.deliver("a")
		keys := []string{keyStore("a"), keyJournal("a")}
		for _, key := range keys {
			if ttl := b.redis.PTTL(b.ctx, key).Val(); ttl <= deletedKeep-time.Hour || ttl > deletedKeep {
				b.Errorf("after DELETED was delivered, %s expires in %s", key, ttl)
			}
		}
		b.accept(request("a"))
		for _, key := range keys {
			if ttl := b.redis.PTTL(b.ctx, key).Val(); ttl != -1 {
				b.Errorf("the store lives again, and %s expires in %s", key, ttl)
			}
		}
	})
}

func TestAcceptAfterTheRecordExpired(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("b"))
		b.accept(request("a"))
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.deliver("a")
		b.redis.Del(b.ctx, keyStore("a"), keyJournal("a")) // as their expiry does
		if _, ok, err := b.records.Requests.Store(b.ctx, "a"); ok || err != nil {
			b.Errorf("an expired record is shown: %v, %v", ok, err)
		}
		page, err := b.records.Requests.Find(b.ctx, provision.StoreFilter{}, "", 10)
		if must(b, page, err); len(page.Stores) != 1 {
			b.Errorf("an expired record is listed: %+v", page)
		}
		if ids := b.redis.ZRange(b.ctx, keyStores, 0, -1).Val(); !slices.Equal(ids, []string{"b"}) {
			b.Errorf("the list holds %v", ids)
		}
		b.end(b.accept(request("a")), provision.StatusReady)
		if got := b.deliver("a"); len(got) != 1 {
			b.Errorf("delivered %+v", got)
		}
	})
}

// TestAcceptIfRefusesWhatANewerRequestHasOvertaken looks at a record, and the owner is quicker.
func TestAcceptIfRefusesWhatANewerRequestHasOvertaken(t *testing.T) {
	each(t, func(b *bench) {
		first := b.accept(request("a"))
		changed := request("a")
		changed.Settings.Title = "newer"
		second := b.accept(changed)
		before := b.state("a")
		for _, req := range []provision.Request{request("a"), {StoreID: "a", Action: provision.OpDelete}} {
			if _, err := b.records.Requests.AcceptIf(b.ctx, req, first.Generation, generationTimeout); provision.CodeOf(err) != provision.CodeSuperseded {
				b.Errorf("%s for generation %d: %v", req.Action, first.Generation, err)
			}
		}
		if diff := cmp.Diff(before, b.state("a")); diff != "" {
			b.Errorf("a refused request changed the record: %s", diff)
		}
		got, err := b.records.Requests.AcceptIf(b.ctx, provision.Request{StoreID: "a", Action: provision.OpDelete}, second.Generation, generationTimeout)
		if err != nil || got.Generation <= second.Generation {
			b.Errorf("for the newest generation: %+v, %v", got, err)
		}
		if _, err := b.records.Requests.AcceptIf(b.ctx, request("new"), 0, generationTimeout); err != nil {
			b.Errorf("a store without a record is at generation 0: %v", err)
		}
	})
}

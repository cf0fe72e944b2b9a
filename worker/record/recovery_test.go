package record

import (
	"cmp"
	"testing"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// savedState is what a namespace would say of a generation.
func savedState(t queue.Task, outcome provision.Status, delivered bool) provision.SavedState {
	m := provision.SavedState{Store: provision.Store{Request: onCluster(t.Cluster, request(t.StoreID)), Generation: t.Generation}, Op: t.Op, Delivered: delivered}
	if outcome != "" {
		m.Outcome = &provision.Outcome{Generation: t.Generation, Status: outcome}
	}
	return m
}

// loseData empties Redis, as one without persistence is after a restart.
func (b *bench) loseData() {
	b.Helper()
	b.flush()
}

func (b *bench) restore(m provision.SavedState, want RestoreResult) {
	b.Helper()
	if got := b.compare(m); got.Result != want {
		b.Fatalf("restoring %s: %s, want %s", m.Store.StoreID, got.Result, want)
	}
}

func (b *bench) compare(m provision.SavedState) Comparison {
	b.Helper()
	got, err := b.records.Recovery.Restore(b.ctx, cmp.Or(m.Store.Cluster, provision.DefaultCluster), m, generationTimeout)
	if err != nil {
		b.Fatalf("restoring %s: %v", m.Store.StoreID, err)
	}
	return got
}

// TestComparingTellsWhatTheClusterDoesNotKnow: an outcome that was recorded while the API server was away.
func TestComparingTellsWhatTheClusterDoesNotKnow(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		if got := b.compare(savedState(task, "", false)); got.Result != RestoreKnown || got.Outcome != nil {
			b.Errorf("without an outcome: %+v", got)
		}
		b.end(task, provision.StatusReady)
		if got := b.compare(savedState(task, "", false)); got.Outcome == nil || got.Outcome.Status != provision.StatusReady || got.Outcome.Generation != task.Generation || got.Delivered {
			b.Errorf("ready, and not delivered: %+v", got)
		}
		b.deliver("a")
		if got := b.compare(savedState(task, provision.StatusReady, false)); !got.Delivered {
			b.Errorf("delivered: %+v", got)
		}
		b.accept(titled(request("a"), "another"))
		if got := b.compare(savedState(task, provision.StatusReady, false)); got.Outcome != nil {
			b.Errorf("of an older generation: %+v", got)
		}
	})
}

func TestAcceptRefusesUntilTheRecordsAreComplete(t *testing.T) {
	each(t, func(b *bench) {
		b.loseData()
		for _, req := range []provision.Request{request("a"), deletion("a")} {
			if _, err := b.records.Requests.Accept(b.ctx, req, generationTimeout); provision.CodeOf(err) != provision.CodeUnavailable {
				b.Fatalf("%s on an empty Redis: %v, want unavailable", req.Action, err)
			}
		}
		if complete, err := b.records.Recovery.Complete(b.ctx); err != nil || complete {
			b.Fatalf("complete: %t, %v", complete, err)
		}
		if err := b.records.Recovery.MarkComplete(b.ctx); err != nil {
			b.Fatal(err)
		}
		b.accept(request("a"))
	})
}

func TestRestoreBringsBackTheStore(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		b.end(task, provision.StatusReady)
		b.deliver("a")
		before := b.state("a")
		b.loseData()
		b.restore(savedState(task, provision.StatusReady, true), Restored)
		b.markComplete()

		after := b.state("a")
		if after.Generation != before.Generation || after.Status != before.Status || after.Host != before.Host || after.PendingCallbacks != 0 || b.outstanding("a") {
			b.Errorf("restored as %+v, outstanding %t; was %+v", after, b.outstanding("a"), before)
		}
		other := request("b")
		other.Host, other.StoreURL = "a.example.com", "https://a.example.com"
		b.refused(other)
		moved := request("a")
		moved.Namespace = "elsewhere"
		b.refused(moved)
		if next := b.accept(titled(request("a"), "New")); next.Generation <= task.Generation {
			b.Errorf("generation %d after %d", next.Generation, task.Generation)
		}
	})
}

func TestRestoreWithoutOutcomeRunsTheGenerationAgain(t *testing.T) {
	each(t, func(b *bench) {
		provisioned, deleted := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 100, Cluster: provision.DefaultCluster}, queue.Task{Op: provision.OpDelete, StoreID: "b", Generation: 100, Cluster: provision.DefaultCluster}
		b.restore(savedState(provisioned, "", false), Restored)
		b.restore(savedState(deleted, "", false), Restored)
		for _, task := range []queue.Task{provisioned, deleted} {
			if open := b.inspect(task.StoreID); len(open.Runs) != 1 || open.Runs[0] != task || !b.outstanding(task.StoreID) {
				b.Errorf("%s: open %+v", task.StoreID, open)
			}
			b.end(task, task.Op.Success())
		}
	})
}

func TestRestoreDeliversAnUnconfirmedOutcomeAgain(t *testing.T) {
	each(t, func(b *bench) {
		failed := savedState(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 100, Cluster: provision.DefaultCluster}, provision.StatusFailed, false)
		failed.Outcome.Code, failed.Outcome.Error = provision.CodeImage, "no such image"
		b.restore(failed, Restored)
		b.restore(savedState(queue.Task{Op: provision.OpDelete, StoreID: "b", Generation: 100, Cluster: provision.DefaultCluster}, provision.StatusDeleteFailed, false), Restored)
		if delivered := b.deliver("a"); len(delivered) != 1 || delivered[0].Status != provision.StatusFailed || delivered[0].Error != "no such image" {
			b.Errorf("delivered %+v", delivered)
		}
		if delivered := b.deliver("b"); len(delivered) != 1 || delivered[0].Status != provision.StatusDeleteFailed || delivered[0].Sequence < 1e12 {
			b.Errorf("delivered %+v", delivered)
		}
		if b.outstanding("a") || b.outstanding("b") {
			b.Error("a store with nothing left to deliver is still outstanding")
		}
	})
}

func TestRestoreKeepsANewerRecord(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		old := task
		old.Generation--
		b.restore(savedState(old, provision.StatusFailed, false), RestoreKnown)
		b.restore(savedState(task, provision.StatusFailed, false), RestoreKnown)
		if got := b.state("a").Status; got != provision.StatusProvisioning {
			b.Errorf("the store became %s", got)
		}
	})
}

func TestRestoreNoticesALeftoverNamespace(t *testing.T) {
	each(t, func(b *bench) {
		first := b.accept(request("a"))
		b.end(first, provision.StatusReady)
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.restore(savedState(first, provision.StatusReady, true), RestoreLeftover)
		second := b.accept(request("a"))
		b.restore(savedState(first, provision.StatusReady, true), RestoreKnown) // the run of the second deals with it
		b.restore(savedState(second, "", false), RestoreKnown)
	})
}

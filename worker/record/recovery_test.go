package record

import (
	"cmp"
	"testing"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// remembered is what a namespace would say of a generation.
func remembered(t queue.Task, verdict provision.Status, told bool) provision.SavedState {
	m := provision.SavedState{Store: provision.Store{Request: on(t.Cluster, request(t.StoreID)), Generation: t.Generation}, Op: t.Op, Delivered: told}
	if verdict != "" {
		m.Outcome = &provision.Outcome{Generation: t.Generation, Status: verdict}
	}
	return m
}

// lose empties Redis, as one without persistence is after a restart.
func (b *bench) lose() {
	b.Helper()
	b.flush()
}

func (b *bench) restore(m provision.SavedState, want RestoreResult) {
	b.Helper()
	if got, err := b.records.Recovery.Restore(b.ctx, cmp.Or(m.Store.Cluster, provision.DefaultCluster), m, patience); err != nil || got != want {
		b.Fatalf("restoring %s: %s, %v; want %s", m.Store.StoreID, got, err, want)
	}
}

func TestNothingIsAcceptedUntilTheRecordsAreWhole(t *testing.T) {
	each(t, func(b *bench) {
		b.lose()
		for _, req := range []provision.Request{request("a"), deletion("a")} {
			if _, err := b.records.Requests.Accept(b.ctx, req, patience); provision.CodeOf(err) != provision.CodeUnavailable {
				b.Fatalf("%s on an empty Redis: %v, want unavailable", req.Action, err)
			}
		}
		if whole, err := b.records.Recovery.Complete(b.ctx); err != nil || whole {
			b.Fatalf("whole: %t, %v", whole, err)
		}
		if err := b.records.Recovery.MarkComplete(b.ctx); err != nil {
			b.Fatal(err)
		}
		b.accept(request("a"))
	})
}

func TestARestoredStoreIsTheOneThatWas(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		b.end(task, provision.StatusReady)
		b.tell("a")
		before := b.state("a")
		b.lose()
		b.restore(remembered(task, provision.StatusReady, true), Restored)
		b.whole()

		after := b.state("a")
		if after.Generation != before.Generation || after.Status != before.Status || after.Host != before.Host || after.PendingCallbacks != 0 || b.open("a") {
			b.Errorf("restored as %+v, open %t; was %+v", after, b.open("a"), before)
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

func TestARestoredGenerationWithoutVerdictIsRunAgain(t *testing.T) {
	each(t, func(b *bench) {
		provisioned, deleted := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 100, Cluster: provision.DefaultCluster}, queue.Task{Op: provision.OpDelete, StoreID: "b", Generation: 100, Cluster: provision.DefaultCluster}
		b.restore(remembered(provisioned, "", false), Restored)
		b.restore(remembered(deleted, "", false), Restored)
		for _, task := range []queue.Task{provisioned, deleted} {
			if open := b.look(task.StoreID); len(open.Runs) != 1 || open.Runs[0] != task || !b.open(task.StoreID) {
				b.Errorf("%s: open %+v", task.StoreID, open)
			}
			b.end(task, task.Op.Success())
		}
	})
}

func TestARestoredVerdictThatNobodyConfirmedIsToldAgain(t *testing.T) {
	each(t, func(b *bench) {
		failed := remembered(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 100, Cluster: provision.DefaultCluster}, provision.StatusFailed, false)
		failed.Outcome.Code, failed.Outcome.Error = provision.CodeImage, "no such image"
		b.restore(failed, Restored)
		b.restore(remembered(queue.Task{Op: provision.OpDelete, StoreID: "b", Generation: 100, Cluster: provision.DefaultCluster}, provision.StatusDeleteFailed, false), Restored)
		if told := b.tell("a"); len(told) != 1 || told[0].Status != provision.StatusFailed || told[0].Error != "no such image" {
			b.Errorf("told %+v", told)
		}
		if told := b.tell("b"); len(told) != 1 || told[0].Status != provision.StatusDeleteFailed || told[0].Sequence < 1e12 {
			b.Errorf("told %+v", told)
		}
		if b.open("a") || b.open("b") {
			b.Error("a store with nothing left to tell is still open")
		}
	})
}

func TestWhatTheRecordKnowsBetterIsKept(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		old := task
		old.Generation--
		b.restore(remembered(old, provision.StatusFailed, false), RestoreKnown)
		b.restore(remembered(task, provision.StatusFailed, false), RestoreKnown)
		if got := b.state("a").Status; got != provision.StatusProvisioning {
			b.Errorf("the store became %s", got)
		}
	})
}

func TestANamespaceThatOutlivedItsDeleteIsNoticed(t *testing.T) {
	each(t, func(b *bench) {
		first := b.accept(request("a"))
		b.end(first, provision.StatusReady)
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.restore(remembered(first, provision.StatusReady, true), RestoreLeftover)
		second := b.accept(request("a"))
		b.restore(remembered(first, provision.StatusReady, true), RestoreKnown) // the run of the second deals with it
		b.restore(remembered(second, "", false), RestoreKnown)
	})
}

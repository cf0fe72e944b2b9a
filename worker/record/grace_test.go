package record

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func (b *bench) deleteLater(id string, grace time.Duration, retain bool) (provision.Accepted, bool) {
	b.Helper()
	a, found, err := b.records.Repeats.DeleteLater(b.ctx, id, 0, provision.Grace{For: grace, RetainData: retain}, generationTimeout)
	if err != nil {
		b.Fatal(err)
	}
	return a, found
}

func (b *bench) dueGraves() []Grave {
	b.Helper()
	due, err := b.records.Fleet.DueGraves(b.ctx, 10)
	return must(b, due, err)
}

// graceOver lets the grace of a store end.
func (b *bench) graceOver(id string) {
	b.redis.ZAdd(b.ctx, keyGraves, redis.Z{Score: 1, Member: id})
}

// TestAStoreInGraceIsStoppedAndDeletedThen.
func TestAStoreInGraceIsStoppedAndDeletedThen(t *testing.T) {
	each(t, func(b *bench) {
		b.madeReady(request("a"))
		first, found := b.deleteLater("a", time.Hour, true)
		if !found || first.Joined || first.Action != provision.OpProvision {
			b.Fatalf("%+v, %t", first, found)
		}
		task := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: first.Generation, Cluster: "default"}
		run := b.acquire(task, "run")
		if !run.Store.Suspended || run.Store.Grave == nil || !run.Store.Grave.RetainData || time.Until(run.Store.Grave.At) > time.Hour || time.Until(run.Store.Grave.At) < 50*time.Minute {
			b.Errorf("the run: %+v", run.Store.Grave)
		}
		b.wantOutcome(run, provision.StatusSuspended, OutcomeRecorded, 0)
		b.release(run, RunEnd{Ended: true})
		if s := b.state("a"); s.DeleteAt.IsZero() || !s.Suspended {
			b.Errorf("it is shown as %+v", s)
		}
		if again, _ := b.deleteLater("a", 10*time.Hour, false); again.Generation != first.Generation || !again.Joined || time.Until(b.state("a").DeleteAt) > time.Hour {
			b.Errorf("repeated: %+v, to be deleted at %s", again, b.state("a").DeleteAt)
		}
		if due := b.dueGraves(); len(due) != 0 {
			b.Errorf("before its time: %+v", due)
		}
		b.graceOver("a")
		if due := b.dueGraves(); len(due) != 1 || due[0] != (Grave{"a", first.Generation, true}) || len(b.dueGraves()) != 0 {
			b.Errorf("due: %+v", due)
		}
		if _, err := b.records.Requests.AcceptIf(b.ctx, retaining("a"), first.Generation, generationTimeout); err != nil {
			b.Fatal(err)
		}
		if b.redis.ZCard(b.ctx, keyGraves).Val() != 0 || !b.state("a").DeleteAt.IsZero() {
			b.Error("the delete that came is to come again")
		}
	})
}

// TestAnyRequestKeepsAStoreInGrace: also one that comes in the moment in which its grace ends.
func TestAnyRequestKeepsAStoreInGrace(t *testing.T) {
	for name, ask := range map[string]func(b *bench){
		"resume": func(b *bench) {
			if _, _, err := b.records.Repeats.Resume(b.ctx, "a", 0, generationTimeout); err != nil {
				b.Fatal(err)
			}
		},
		"another title": func(b *bench) { b.accept(titled(request("a"), "x")) },
		"retry":         func(b *bench) { b.repeat("a", provision.ForceApply) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				b.madeReady(request("a"))
				later, _ := b.deleteLater("a", time.Hour, false)
				b.graceOver("a")
				due := b.dueGraves()
				ask(b)
				if _, err := b.records.Requests.AcceptIf(b.ctx, deletion("a"), due[0].Generation, generationTimeout); provision.CodeOf(err) != provision.CodeSuperseded {
					b.Errorf("the delete: %v", err)
				}
				if len(b.dueGraves()) != 0 || !b.state("a").DeleteAt.IsZero() || b.state("a").Generation == later.Generation {
					b.Errorf("%+v", b.state("a"))
				}
			})
		})
	}
}

// TestGraceAndSuspensionDoNotJoin: while the shop is being stopped, a delete with grace is not what the suspension wanted, and the other way round.
func TestGraceAndSuspensionDoNotJoin(t *testing.T) {
	each(t, func(b *bench) {
		b.madeReady(request("a"))
		suspend := func() provision.Accepted {
			a, _, err := b.records.Repeats.Suspend(b.ctx, "a", 0, "unpaid", generationTimeout)
			return must(b, a, err)
		}
		stopping := suspend()
		if later, _ := b.deleteLater("a", time.Hour, false); later.Joined || later.Generation == stopping.Generation || b.state("a").DeleteAt.IsZero() {
			b.Errorf("a delete with grace joins a suspension: %+v", later)
		}
		if again := suspend(); again.Joined || !b.state("a").DeleteAt.IsZero() {
			b.Errorf("a suspension joins a delete with grace: %+v, deleted at %s", again, b.state("a").DeleteAt)
		}
	})
}

// TestAQuietGraceIsNotTold: a backend that knows nothing of grace hears DELETED when it is over, and gets a shop where it asks for one before, unless that was suspended.
func TestAQuietGraceIsNotTold(t *testing.T) {
	for name, suspended := range map[string]bool{"running": false, "suspended": true} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				b.madeReady(request("a"))
				if suspended {
					a, _, err := b.records.Repeats.Suspend(b.ctx, "a", 0, "unpaid", generationTimeout)
					if err != nil {
						b.Fatal(err)
					}
					b.end(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: a.Generation, Cluster: "default"}, provision.StatusSuspended)
				}
				b.deliver("a")
				later, _, err := b.records.Repeats.DeleteLater(b.ctx, "a", 0, provision.Grace{For: time.Hour, Quiet: true}, generationTimeout)
				if err != nil {
					b.Fatal(err)
				}
				run := b.acquire(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: later.Generation, Cluster: "default"}, "run")
				if g := run.Store.Grave; g == nil || !g.Quiet || g.Suspended != suspended {
					b.Errorf("the run: %+v", g)
				}
				b.wantOutcome(run, provision.StatusSuspended, OutcomeRecorded, 0)
				b.release(run, RunEnd{Ended: true})
				if s := b.state("a"); s.PendingCallbacks != 0 || s.Status != provision.StatusSuspended || s.DeleteAt.IsZero() {
					b.Errorf("%d callbacks are pending; it is shown as %+v", s.PendingCallbacks, s)
				}
				next := b.accept(request("a"))
				again := b.acquire(next, "again")
				if again.Store.Suspended != suspended || again.Store.Grave != nil {
					b.Errorf("asked for again, it is suspended: %t, to be deleted: %+v", again.Store.Suspended, again.Store.Grave)
				}
				b.wantOutcome(again, again.Store.Success(provision.OpProvision), OutcomeRecorded, 0)
				if n := b.state("a").PendingCallbacks; n != 1 {
					b.Errorf("of that %d callbacks are pending", n)
				}
			})
		})
	}
}

// TestWhatHasNoGrace: a store that has nothing to keep is deleted at once, a protected one is not.
func TestWhatHasNoGrace(t *testing.T) {
	each(t, func(b *bench) {
		if _, found := b.deleteLater("unknown", time.Hour, false); found {
			b.Error("an unknown store")
		}
		b.end(b.accept(request("failed")), provision.StatusFailed)
		if _, found := b.deleteLater("failed", time.Hour, false); found {
			b.Error("a store that was never READY")
		}
		b.madeReady(request("gone"))
		b.end(b.accept(deletion("gone")), provision.StatusDeleted)
		if _, found := b.deleteLater("gone", time.Hour, false); found {
			b.Error("a deleted store")
		}
		b.madeReady(request("safe"))
		if _, err := b.records.Repeats.Protect(b.ctx, "safe", true); err != nil {
			b.Fatal(err)
		}
		if _, found, err := b.records.Repeats.DeleteLater(b.ctx, "safe", 0, provision.Grace{For: time.Hour}, generationTimeout); !found || provision.CodeOf(err) != provision.CodeConflict {
			b.Errorf("a protected store: %t, %v", found, err)
		}
		b.deleteAfterALoss()
	})
}

// deleteAfterALoss: the cluster knows that a store is to be deleted.
func (b *bench) deleteAfterALoss() {
	b.Helper()
	at := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	saved := provision.SavedState{Op: provision.OpProvision, Delivered: true, Outcome: &provision.Outcome{Generation: 7, Status: provision.StatusSuspended},
		Store: provision.Store{Request: request("restored"), Generation: 7, Suspended: true, Grave: &provision.Grave{At: at, RetainData: true}}}
	if _, err := b.records.Recovery.Restore(b.ctx, "default", saved, generationTimeout); err != nil {
		b.Fatal(err)
	}
	b.graceOver("restored")
	saved.Store.StoreID, saved.Store.Host, saved.Store.Namespace, saved.Delivered = "quiet", "quiet.example.com", "store-quiet", false
	saved.Store.Grave.Quiet = true
	if _, err := b.records.Recovery.Restore(b.ctx, "default", saved, generationTimeout); err != nil || b.state("quiet").PendingCallbacks != 0 {
		b.Errorf("what was quiet is told after a loss of Redis: %d, %v", b.state("quiet").PendingCallbacks, err)
	}
	if due := b.dueGraves(); len(due) != 1 || due[0] != (Grave{"restored", 7, true}) || !b.state("restored").DeleteAt.Equal(at) {
		b.Errorf("after a loss of Redis: %+v, %s", due, b.state("restored").DeleteAt)
	}
}

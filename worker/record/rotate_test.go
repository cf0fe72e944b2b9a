package record

import (
	"testing"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func (b *bench) rotate(id string) provision.Accepted {
	b.Helper()
	a, found, err := b.records.Repeats.Rotate(b.ctx, id, 0, generationTimeout)
	if err != nil || !found {
		b.Fatalf("rotating store %s: found %t, %v", id, found, err)
	}
	return a
}

// rotates is the rotation that a run of the store's newest generation is told of.
func (b *bench) rotates(outcome provision.Status) int64 {
	b.Helper()
	task := b.accept(titled(request("a"), string(outcome)))
	run := b.acquire(task, task.ID())
	b.wantOutcome(run, outcome, OutcomeRecorded, 0)
	b.release(run, RunEnd{Ended: true})
	return run.Store.Rotation
}

// TestARotationIsNotOvertaken: each later run is told of it, whether its own request asks for it or not, so that it is done by the first that gets so far.
func TestARotationIsNotOvertaken(t *testing.T) {
	each(t, func(b *bench) {
		if got := b.rotates(provision.StatusReady); got != 0 {
			b.Fatalf("a new store is to rotate as of %d", got)
		}
		asked := b.rotate("a")
		if again := b.rotate("a"); !again.Joined || again.Generation != asked.Generation {
			b.Errorf("asked for again: %+v", again)
		}
		for _, outcome := range []provision.Status{provision.StatusFailed, provision.StatusReady} {
			if got := b.rotates(outcome); got != asked.Generation {
				b.Errorf("the run of a later request is told of %d, want %d", got, asked.Generation)
			}
		}
		if again := b.rotate("a"); again.Joined || again.Generation <= asked.Generation {
			b.Errorf("another rotation: %+v", again)
		}
	})
}

// TestACancelTakesARotationBack: the one before still counts, and one that a run has begun does.
func TestACancelTakesARotationBack(t *testing.T) {
	each(t, func(b *bench) {
		b.rotates(provision.StatusReady)
		first := b.rotate("a")
		run := b.acquire(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: first.Generation, Cluster: provision.DefaultCluster}, "first")
		b.release(run, RunEnd{Counted: true})
		cancel := func() {
			b.Helper()
			if _, _, _, err := b.records.Repeats.Cancel(b.ctx, "a", 0); err != nil {
				b.Fatal(err)
			}
		}
		cancel()
		b.rotate("a")
		cancel()
		if got := b.rotates(provision.StatusReady); got != first.Generation {
			b.Errorf("the next run is told of %d, want %d, which a run had begun", got, first.Generation)
		}
	})
}

// TestASuspendedStoreIsNotRotated: there is no running shop that could take other credentials.
func TestASuspendedStoreIsNotRotated(t *testing.T) {
	each(t, func(b *bench) {
		b.rotates(provision.StatusReady)
		if _, _, err := b.records.Repeats.Suspend(b.ctx, "a", 0, "", generationTimeout); err != nil {
			b.Fatal(err)
		}
		if _, _, err := b.records.Repeats.Rotate(b.ctx, "a", 0, generationTimeout); provision.CodeOf(err) != provision.CodeConflict {
			b.Errorf("rotating a suspended store: %v", err)
		}
	})
}

// TestALossOfRedisLosesNoRotation: the cluster knows what was asked for. A store that is made anew starts without.
func TestALossOfRedisLosesNoRotation(t *testing.T) {
	each(t, func(b *bench) {
		b.flush()
		saved := provision.SavedState{Op: provision.OpProvision, Store: provision.Store{Request: request("a"), Generation: 7, Rotation: 5}}
		if _, err := b.records.Recovery.Restore(b.ctx, "default", saved, generationTimeout); err != nil {
			b.Fatal(err)
		}
		b.markComplete()
		if got := b.rotates(provision.StatusReady); got != 5 {
			b.Errorf("a run after the loss is told of %d, want 5", got)
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		if got := b.rotates(provision.StatusReady); got != 0 {
			b.Errorf("the store that was made anew is to rotate as of %d", got)
		}
	})
}

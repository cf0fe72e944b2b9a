package record

import (
	"strings"
	"testing"

	"orchestrator/provision"
)

// TestARequestMayStopTheShop: only one that says so starts it again.
func TestARequestMayStopTheShop(t *testing.T) {
	each(t, func(b *bench) {
		stop, start := true, false
		with := func(suspend *bool, title string) provision.Request {
			req := titled(request("a"), title)
			req.Suspend = suspend
			return req
		}
		for i, step := range []struct {
			suspend *bool
			title   string
			want    bool
		}{{nil, "1", false}, {&stop, "1", true}, {nil, "2", true}, {&start, "2", false}, {&start, "3", false}} {
			task := b.accept(with(step.suspend, step.title))
			run := b.acquire(task, task.ID())
			if run.Store.Suspended != step.want || b.state("a").Suspended != step.want || run.Store.Suspend != nil {
				b.Errorf("step %d: the run suspends %t", i, run.Store.Suspended)
			}
			if joined := b.accept(with(step.suspend, step.title)); joined != task {
				b.Errorf("step %d: an equal request does not join", i)
			}
			b.wantOutcome(run, run.Store.Success(provision.OpProvision), OutcomeRecorded, 0)
			b.release(run, RunEnd{Ended: true})
		}
	})
}

func (b *bench) repeat(id string, force ...provision.Force) (generation int64, joined bool) {
	b.Helper()
	a, found, err := b.records.Repeats.Repeat(b.ctx, id, 0, force, generationTimeout)
	if err != nil || !found {
		b.Fatalf("repeating store %s: found %t, %v", id, found, err)
	}
	return a.Generation, a.Joined
}

func TestRepeatAcceptsWhatIsOnRecord(t *testing.T) {
	each(t, func(b *bench) {
		req := titled(onHost(request("a"), "own.example.com"), "Own title")
		failed := b.accept(req)
		b.end(failed, provision.StatusFailed)
		again, joined := b.repeat("a")
		if joined || again <= failed.Generation {
			b.Fatalf("after FAILED: generation %d, joined %t", again, joined)
		}
		if s := b.state("a"); s.Request == nil || *s.Request != req || s.Status != provision.StatusProvisioning {
			b.Errorf("the record says %+v", s)
		}
		if same, joined := b.repeat("a"); !joined || same != again {
			b.Errorf("while it is under way: generation %d, joined %t", same, joined)
		}
		forced, joined := b.repeat("a", provision.ForceApply, provision.ForceVerify)
		if joined || forced <= again {
			b.Errorf("forced, while another one is under way: generation %d, joined %t", forced, joined)
		}
		if same, joined := b.repeat("a", provision.ForceVerify); !joined || same != forced {
			b.Errorf("forced as one that is under way: generation %d, joined %t", same, joined)
		}
	})
}

func TestRepeatRetainsWhatADeleteRetains(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		remove := deletion("a")
		remove.RetainData = true
		b.end(b.accept(remove), provision.StatusDeleteFailed)
		b.repeat("a")
		if s := b.state("a"); s.Action != provision.OpDelete || !s.RetainData {
			b.Errorf("the record says %+v", s)
		}
	})
}

func TestRepeatRefusesWhatIsGoneOrOvertaken(t *testing.T) {
	each(t, func(b *bench) {
		if _, found, err := b.records.Repeats.Repeat(b.ctx, "unknown", 0, nil, generationTimeout); found || err != nil {
			b.Errorf("an unknown store: found %t, %v", found, err)
		}
		first := b.accept(request("a"))
		b.end(first, provision.StatusReady)
		if _, _, err := b.records.Repeats.Repeat(b.ctx, "a", first.Generation-1, nil, generationTimeout); provision.CodeOf(err) != provision.CodeSuperseded {
			b.Errorf("another generation: %v", err)
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		if _, found, err := b.records.Repeats.Repeat(b.ctx, "a", 0, nil, generationTimeout); !found || provision.CodeOf(err) != provision.CodeConflict {
			b.Errorf("a deleted store: found %t, %v", found, err)
		}
	})
}

func TestARunIsToldWhatItDoesAgain(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.repeat("a", provision.ForceApply)
		open, err := b.records.Recovery.Inspect(b.ctx, "a")
		if err != nil || len(open.Runs) != 1 {
			b.Fatalf("%+v, %v", open, err)
		}
		run := b.acquire(open.Runs[0], "run")
		if !run.Store.Forced(provision.ForceApply) || run.Store.Forced(provision.ForceVerify) {
			b.Errorf("the run is of %+v", run.Store)
		}
		b.release(run, RunEnd{})
		if next := b.acquire(b.accept(titled(request("a"), "another")), "run"); next.Store.Force != nil {
			b.Errorf("a later request does it again too: %v", next.Store.Force)
		}
	})
}

func TestCancelTellsAndDeletesNothing(t *testing.T) {
	each(t, func(b *bench) {
		provisioned, removed := b.accept(request("a")), b.accept(deletion("b"))
		for _, task := range []struct {
			id     string
			status provision.Status
			gen    int64
		}{{"a", provision.StatusFailed, provisioned.Generation}, {"b", provision.StatusDeleteFailed, removed.Generation}} {
			ctx := provision.WithOrigin(b.ctx, provision.Origin{By: "anna"})
			got, _, found, err := b.records.Repeats.Cancel(ctx, task.id, 0)
			if err != nil || !found || got.Status != task.status || got.Generation != task.gen {
				b.Fatalf("%s: %+v, found %t, %v", task.id, got, found, err)
			}
			if s := b.state(task.id); s.Status != task.status || s.Code != provision.CodeCancelled || !strings.Contains(s.Error, "by anna") {
				b.Errorf("%s: the record says %+v", task.id, s)
			}
			if sent := b.deliver(task.id); len(sent) != 1 || sent[0].Status != task.status {
				b.Errorf("%s: told %+v", task.id, sent)
			}
			if again, _, _, err := b.records.Repeats.Cancel(b.ctx, task.id, 0); err != nil || again != got || len(b.deliver(task.id)) != 0 {
				b.Errorf("%s: after the answer was lost: %+v, %v", task.id, again, err)
			}
		}
		b.wantAcquire(provisioned, AcquireDone) // its task is still in the queue
		b.wantAcquire(removed, AcquireDone)
		if next, joined := b.repeat("b"); joined || next <= removed.Generation {
			b.Errorf("a delete that was cancelled is repeated as %d, joined %t", next, joined)
		}
	})
}

func TestCancelLeavesWhatAWorkerIsAt(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		run := b.acquire(task, "run")
		if _, _, _, err := b.records.Repeats.Cancel(b.ctx, "a", 0); provision.CodeOf(err) != provision.CodeConflict {
			b.Errorf("while it runs: %v", err)
		}
		b.end(b.accept(request("r")), provision.StatusReady)
		if _, _, _, err := b.records.Repeats.Cancel(b.ctx, "r", 0); provision.CodeOf(err) != provision.CodeConflict || !strings.Contains(provision.Public(err), "READY") {
			b.Errorf("after its outcome: %v", err)
		}
		b.release(run, RunEnd{Counted: true})
		if _, _, _, err := b.records.Repeats.Cancel(b.ctx, "a", task.Generation-1); provision.CodeOf(err) != provision.CodeSuperseded {
			b.Errorf("another generation: %v", err)
		}
		if _, _, found, err := b.records.Repeats.Cancel(b.ctx, "a", task.Generation); err != nil || !found {
			b.Errorf("while it waits for its next try: found %t, %v", found, err)
		}
		if _, _, found, err := b.records.Repeats.Cancel(b.ctx, "unknown", 0); found || err != nil {
			b.Errorf("an unknown store: found %t, %v", found, err)
		}
	})
}

func TestCancelFreesASlotAndNotADelete(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{CreatorLimit: 1})
		first, second := request("a"), request("b")
		first.CreatorID, second.CreatorID = "x", "x"
		b.accept(first)
		waits := b.accept(second)
		b.wantAcquire(waits, AcquireThrottled)
		_, next, _, err := b.records.Repeats.Cancel(b.ctx, "a", 0)
		if err != nil || len(next) != 1 || next[0] != waits {
			b.Errorf("may begin now: %v, %v; want store b", next, err)
		}

		b.end(b.accept(request("c")), provision.StatusReady)
		remove := b.accept(deletion("c"))
		b.acquire(remove, "run")
		b.accept(titled(request("c"), "again")) // waits for the delete, which goes on
		if _, _, _, err := b.records.Repeats.Cancel(b.ctx, "c", 0); err != nil {
			b.Errorf("a provision that waits for a delete: %v", err)
		}
		if open, err := b.records.Recovery.Inspect(b.ctx, "c"); err != nil || len(open.Runs) != 1 || open.Runs[0] != remove {
			b.Errorf("left to run: %+v, %v", open.Runs, err)
		}
	})
}

func TestAProtectedStoreIsNotDeleted(t *testing.T) {
	each(t, func(b *bench) {
		protect := func(id string, protected bool) {
			b.Helper()
			if found, err := b.records.Repeats.Protect(b.ctx, id, protected); err != nil || !found {
				b.Fatalf("protect %t: found %t, %v", protected, found, err)
			}
		}
		task := b.accept(request("a"))
		protect("a", true)
		for _, remove := range []provision.Request{deletion("a"), retaining("a")} {
			if text := b.refused(remove); !strings.Contains(text, "protected") {
				b.Errorf("%+v: %q", remove, text)
			}
		}
		if run := b.acquire(task, "run"); !run.Store.Protected || !b.state("a").Protected {
			b.Error("neither the run nor the record says that the store is protected")
		}
		b.flush()
		b.markComplete()
		saved := savedState(task, provision.StatusReady, true)
		saved.Store.Protected = true
		b.restore(saved, Restored)
		if text := b.refused(deletion("a")); !strings.Contains(text, "protected") {
			b.Errorf("after a loss of Redis: %q", text)
		}
		protect("a", false)
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		if found, err := b.records.Repeats.Protect(b.ctx, "a", true); !found || provision.CodeOf(err) != provision.CodeConflict {
			b.Errorf("a deleted store: found %t, %v", found, err)
		}
		if found, err := b.records.Repeats.Protect(b.ctx, "unknown", true); found || err != nil {
			b.Errorf("an unknown store: found %t, %v", found, err)
		}
	})
}

// TestNothingIsUnknownWhileRecordsAreIncomplete: after a loss of data a store that is not on record may exist all the same.
func TestNothingIsUnknownWhileRecordsAreIncomplete(t *testing.T) {
	each(t, func(b *bench) {
		b.loseData()
		_, _, repeat := b.records.Repeats.Repeat(b.ctx, "a", 0, nil, generationTimeout)
		_, _, suspend := b.records.Repeats.Suspend(b.ctx, "a", 0, "", generationTimeout)
		_, _, _, cancel := b.records.Repeats.Cancel(b.ctx, "a", 0)
		_, _, show := b.records.Requests.Store(b.ctx, "a")
		_, protect := b.records.Repeats.Protect(b.ctx, "a", true)
		for what, err := range map[string]error{"repeat": repeat, "suspend": suspend, "cancel": cancel, "protect": protect, "show": show} {
			if provision.CodeOf(err) != provision.CodeUnavailable {
				t.Errorf("%s: %v, want unavailable", what, err)
			}
		}
	})
}

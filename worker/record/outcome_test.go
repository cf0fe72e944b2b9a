package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestRecordOutcomeOnce(t *testing.T) {
	each(t, func(b *bench) {
		run := b.acquire(b.accept(request("a")), "run")
		b.wantOutcome(run, provision.StatusReady, OutcomeRecorded, 0)
		b.wantOutcome(run, provision.StatusReady, OutcomeUnchanged, 0)
		b.wantOutcome(run, provision.StatusFailed, OutcomeUnchanged, 0)
		s := b.state("a")
		if s.Status != provision.StatusReady || s.PendingCallbacks != 1 || s.DecidedAt.IsZero() || s.Code != "" || s.Error != "" {
			b.Errorf("the record says %+v", s)
		}
		b.release(run, RunEnd{Ended: true})
		if got := b.deliver("a"); len(got) != 1 || got[0].Store.Request != request("a") {
			b.Errorf("delivered %+v", got)
		}
	})
}

func TestRecordOutcomeTurnsAFailureIntoASuccess(t *testing.T) {
	each(t, func(b *bench) {
		for id, req := range map[string]provision.Request{"a": request("a"), "b": deletion("b")} {
			run := b.acquire(b.accept(req), "run")
			b.wantOutcome(run, req.Action.Failure(), OutcomeRecorded, 0)
			b.wantOutcome(run, req.Action.Failure(), OutcomeUnchanged, 0)
			if s := b.state(id); s.Status != req.Action.Failure() || s.Code != provision.CodeTimeout || s.Error == "" {
				b.Errorf("the record says %+v", s)
			}
			b.wantOutcome(run, req.Action.Success(), OutcomeRecorded, 0)
			if s := b.state(id); s.Status != req.Action.Success() || s.Code != "" || s.Error != "" {
				b.Errorf("the record says %+v", s)
			}
			b.wantOutcome(run, req.Action.Failure(), OutcomeUnchanged, 0)
			delivered := b.deliver(id)
			if diff := cmp.Diff([]provision.Status{req.Action.Failure(), req.Action.Success()}, statuses(delivered)); diff != "" {
				b.Error(diff)
			}
			if delivered[0].Sequence != 1 || delivered[1].Sequence != 2 || delivered[0].Generation != delivered[1].Generation {
				b.Errorf("delivered %+v", delivered)
			}
		}
	})
}

func TestRecordOutcomeWithoutTheLeaseIsRefused(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		dead := b.acquire(task, "dead")
		b.redis.Del(b.ctx, keyRunLease("a")) // the lease runs out
		b.wantOutcome(dead, provision.StatusReady, OutcomeLeaseLost, 0)
		live := b.acquire(task, "live")
		b.wantOutcome(dead, provision.StatusReady, OutcomeLeaseLost, 0)
		b.wantOutcome(live, provision.StatusFailed, OutcomeRecorded, 0)
		b.wantOutcome(dead, provision.StatusReady, OutcomeLeaseLost, 0)
		if got := statuses(b.deliver("a")); len(got) != 1 || got[0] != provision.StatusFailed {
			b.Errorf("delivered %v", got)
		}
	})
}

func TestRecordOutcomeOfASupersededRunIsRefused(t *testing.T) {
	each(t, func(b *bench) {
		run := b.acquire(b.accept(request("a")), "run")
		newer := b.accept(titled(request("a"), "new"))
		b.wantOutcome(run, provision.StatusReady, OutcomeSuperseded, 0)
		b.release(run, RunEnd{Ended: true})
		if got := b.deliver("a"); got != nil {
			b.Errorf("delivered %+v", got)
		}
		b.end(newer, provision.StatusReady)
	})
}

func TestRecordOutcomeOfADeleteNamesTheWaitingProvision(t *testing.T) {
	for _, status := range []provision.Status{provision.StatusDeleted, provision.StatusDeleteFailed} {
		each(t, func(b *bench) {
			b.end(b.accept(request("a")), provision.StatusReady)
			run := b.acquire(b.accept(deletion("a")), "run")
			next := b.accept(titled(request("a"), "new"))
			b.wantAcquire(next, AcquireWaiting)
			b.wantOutcome(run, status, OutcomeRecorded, next.Generation)
			// The answer may be lost and the script be sent again.
			b.wantOutcome(run, status, OutcomeUnchanged, next.Generation)
			b.release(run, RunEnd{Ended: true})
			if s := b.state("a"); s.Status != provision.StatusProvisioning || s.Generation != next.Generation || s.DeleteGeneration != 0 {
				b.Errorf("after the delete's end the record says %+v", s)
			}
			b.end(next, provision.StatusReady)
			if diff := cmp.Diff([]provision.Status{status, provision.StatusReady}, statuses(b.deliver("a"))); diff != "" {
				b.Error(diff)
			}
			if b.outstanding("a") {
				b.Error("the store is still outstanding")
			}
		})
	}
}

// The task of a failed delete is run again, and it fails again. The outcome does not change; but the delete is over, and
// what came after it may not wait for ever.
func TestRecordOutcomeOfADeleteThatFailsAgainEndsTheDelete(t *testing.T) {
	each(t, func(b *bench) {
		del := b.accept(deletion("a"))
		b.end(del, provision.StatusDeleteFailed)
		run := b.acquire(del, "again")
		b.deliver("a")
		if !b.outstanding("a") {
			b.Error("a delete is in progress, and its store is not outstanding")
		}
		b.wantOutcome(run, provision.StatusDeleteFailed, OutcomeUnchanged, 0)
		b.release(run, RunEnd{Ended: true})
		if open := b.inspect("a"); len(open.Runs) != 0 {
			b.Errorf("the sweeper revives %+v", open.Runs)
		}
		if b.outstanding("a") {
			b.Error("the store is still outstanding")
		}
		b.acquire(b.accept(request("a")), "next")
	})
}

func TestRecordOutcomeOfADeleteThatFailsAgainNamesTheWaitingProvision(t *testing.T) {
	each(t, func(b *bench) {
		del := b.accept(deletion("a"))
		b.end(del, provision.StatusDeleteFailed)
		run := b.acquire(del, "again")
		next := b.accept(request("a"))
		b.wantAcquire(next, AcquireWaiting)
		b.wantOutcome(run, provision.StatusDeleteFailed, OutcomeUnchanged, next.Generation)
		b.release(run, RunEnd{Ended: true})
		b.end(next, provision.StatusReady)
		if diff := cmp.Diff([]provision.Status{provision.StatusDeleteFailed, provision.StatusReady}, statuses(b.deliver("a"))); diff != "" {
			b.Error(diff)
		}
	})
}

func TestRecordOutcomeOfAFailedDeleteRunAgain(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.deliver("a")
		del := b.accept(deletion("a"))
		b.end(del, provision.StatusDeleteFailed)
		b.deliver("a")
		run := b.acquire(del, "again")
		b.wantOutcome(run, provision.StatusDeleted, OutcomeRecorded, 0)
		b.release(run, RunEnd{Ended: true})
		if !b.outstanding("a") {
			b.Error("a success that is to be delivered is not outstanding")
		}
		b.wantOwners(keyHosts, "a.example.com=")
		if got := statuses(b.deliver("a")); len(got) != 1 || got[0] != provision.StatusDeleted {
			b.Errorf("delivered %v", got)
		}
	})
}

func TestRecordOutcomeKeepsTexts(t *testing.T) {
	texts := []string{"a \"quoted\" <b>&amp;</b> \\ / \n\t\x01\x7f", "Käse 名前 🧀 \u2028", strings.Repeat("long ", 2000), "null", "{}", "1e400"}
	each(t, func(b *bench) {
		for _, text := range texts {
			run := b.acquire(b.accept(titled(request("a"), text)), "run")
			if _, _, err := b.records.Runs.RecordOutcome(b.ctx, run, provision.StatusFailed, provision.CodeImage, text); err != nil {
				b.Fatal(err)
			}
			b.release(run, RunEnd{Ended: true})
			got := b.deliver("a")
			if len(got) != 1 || got[0].Error != text || got[0].Code != provision.CodeImage || got[0].Store.Settings.Title != text {
				b.Errorf("%q comes back as %+v", text, got)
			}
		}
		// Bytes that are no text: what is delivered need not be equal, but it has to be delivered.
		run := b.acquire(b.accept(request("b")), "run")
		if _, _, err := b.records.Runs.RecordOutcome(b.ctx, run, provision.StatusFailed, provision.CodeImage, "a\xff\xc3b\x00"); err != nil {
			b.Fatal(err)
		}
		if got := b.deliver("b"); len(got) != 1 {
			b.Errorf("delivered %+v", got)
		}
	})
}

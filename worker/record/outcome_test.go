package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestAVerdictIsWrittenOnce(t *testing.T) {
	each(t, func(b *bench) {
		run := b.enter(b.accept(request("a")), "run")
		b.wantRuling(run, provision.StatusReady, OutcomeRecorded, 0)
		b.wantRuling(run, provision.StatusReady, OutcomeUnchanged, 0)
		b.wantRuling(run, provision.StatusFailed, OutcomeUnchanged, 0)
		s := b.state("a")
		if s.Status != provision.StatusReady || s.PendingCallbacks != 1 || s.DecidedAt.IsZero() || s.Code != "" || s.Error != "" {
			b.Errorf("the record says %+v", s)
		}
		b.leave(run, RunEnd{Ended: true})
		if got := b.tell("a"); len(got) != 1 || got[0].Store.Request != request("a") {
			b.Errorf("told %+v", got)
		}
	})
}

func TestAFailureMayBecomeASuccess(t *testing.T) {
	each(t, func(b *bench) {
		for id, req := range map[string]provision.Request{"a": request("a"), "b": deletion("b")} {
			run := b.enter(b.accept(req), "run")
			b.wantRuling(run, req.Action.Failure(), OutcomeRecorded, 0)
			b.wantRuling(run, req.Action.Failure(), OutcomeUnchanged, 0)
			if s := b.state(id); s.Status != req.Action.Failure() || s.Code != provision.CodeTimeout || s.Error == "" {
				b.Errorf("the record says %+v", s)
			}
			b.wantRuling(run, req.Action.Success(), OutcomeRecorded, 0)
			if s := b.state(id); s.Status != req.Action.Success() || s.Code != "" || s.Error != "" {
				b.Errorf("the record says %+v", s)
			}
			b.wantRuling(run, req.Action.Failure(), OutcomeUnchanged, 0)
			told := b.tell(id)
			if diff := cmp.Diff([]provision.Status{req.Action.Failure(), req.Action.Success()}, statuses(told)); diff != "" {
				b.Error(diff)
			}
			if told[0].Sequence != 1 || told[1].Sequence != 2 || told[0].Generation != told[1].Generation {
				b.Errorf("told %+v", told)
			}
		}
	})
}

func TestAVerdictWithoutTheGateCountsForNothing(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		dead := b.enter(task, "dead")
		b.redis.Del(b.ctx, keyRunLease("a")) // the lease runs out
		b.wantRuling(dead, provision.StatusReady, OutcomeLeaseLost, 0)
		live := b.enter(task, "live")
		b.wantRuling(dead, provision.StatusReady, OutcomeLeaseLost, 0)
		b.wantRuling(live, provision.StatusFailed, OutcomeRecorded, 0)
		b.wantRuling(dead, provision.StatusReady, OutcomeLeaseLost, 0)
		if got := statuses(b.tell("a")); len(got) != 1 || got[0] != provision.StatusFailed {
			b.Errorf("told %v", got)
		}
	})
}

func TestAVerdictOfASupersededRunIsMoot(t *testing.T) {
	each(t, func(b *bench) {
		run := b.enter(b.accept(request("a")), "run")
		newer := b.accept(titled(request("a"), "new"))
		b.wantRuling(run, provision.StatusReady, OutcomeSuperseded, 0)
		b.leave(run, RunEnd{Ended: true})
		if got := b.tell("a"); got != nil {
			b.Errorf("told %+v", got)
		}
		b.end(newer, provision.StatusReady)
	})
}

func TestADeleteNamesTheProvisionThatWaited(t *testing.T) {
	for _, status := range []provision.Status{provision.StatusDeleted, provision.StatusDeleteFailed} {
		each(t, func(b *bench) {
			b.end(b.accept(request("a")), provision.StatusReady)
			run := b.enter(b.accept(deletion("a")), "run")
			next := b.accept(titled(request("a"), "new"))
			b.wantEntry(next, AcquireWaiting)
			b.wantRuling(run, status, OutcomeRecorded, next.Generation)
			// The answer may be lost and the script be sent again.
			b.wantRuling(run, status, OutcomeUnchanged, next.Generation)
			b.leave(run, RunEnd{Ended: true})
			if s := b.state("a"); s.Status != provision.StatusProvisioning || s.Generation != next.Generation || s.DeleteGeneration != 0 {
				b.Errorf("after the delete's end the record says %+v", s)
			}
			b.end(next, provision.StatusReady)
			if diff := cmp.Diff([]provision.Status{status, provision.StatusReady}, statuses(b.tell("a"))); diff != "" {
				b.Error(diff)
			}
			if b.open("a") {
				b.Error("the store is still open")
			}
		})
	}
}

// Somebody runs the task of a failed delete again, and it fails again. Nothing new is true; but the delete is over, and
// what came after it may not wait for ever.
func TestADeleteThatFailsAgainLetsTheNextIn(t *testing.T) {
	each(t, func(b *bench) {
		del := b.accept(deletion("a"))
		b.end(del, provision.StatusDeleteFailed)
		run := b.enter(del, "again")
		b.tell("a")
		if !b.open("a") {
			b.Error("a delete is under way, and its store is not open")
		}
		b.wantRuling(run, provision.StatusDeleteFailed, OutcomeUnchanged, 0)
		b.leave(run, RunEnd{Ended: true})
		if open := b.look("a"); len(open.Runs) != 0 {
			b.Errorf("the sweeper revives %+v", open.Runs)
		}
		if b.open("a") {
			b.Error("the store is still open")
		}
		b.enter(b.accept(request("a")), "next")
	})
}

func TestADeleteThatFailsAgainBesideAWaitingProvision(t *testing.T) {
	each(t, func(b *bench) {
		del := b.accept(deletion("a"))
		b.end(del, provision.StatusDeleteFailed)
		run := b.enter(del, "again")
		next := b.accept(request("a"))
		b.wantEntry(next, AcquireWaiting)
		b.wantRuling(run, provision.StatusDeleteFailed, OutcomeUnchanged, next.Generation)
		b.leave(run, RunEnd{Ended: true})
		b.end(next, provision.StatusReady)
		if diff := cmp.Diff([]provision.Status{provision.StatusDeleteFailed, provision.StatusReady}, statuses(b.tell("a"))); diff != "" {
			b.Error(diff)
		}
	})
}

func TestAFailedDeleteRunAgainMayStillDelete(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.tell("a")
		del := b.accept(deletion("a"))
		b.end(del, provision.StatusDeleteFailed)
		b.tell("a")
		run := b.enter(del, "again")
		b.wantRuling(run, provision.StatusDeleted, OutcomeRecorded, 0)
		b.leave(run, RunEnd{Ended: true})
		if !b.open("a") {
			b.Error("a success that is to be told is not open")
		}
		b.wantOwners(keyHosts, "a.example.com=")
		if got := statuses(b.tell("a")); len(got) != 1 || got[0] != provision.StatusDeleted {
			b.Errorf("told %v", got)
		}
	})
}

func TestTextsOfAVerdictSurvive(t *testing.T) {
	texts := []string{"a \"quoted\" <b>&amp;</b> \\ / \n\t\x01\x7f", "Käse 名前 🧀 \u2028", strings.Repeat("long ", 2000), "null", "{}", "1e400"}
	each(t, func(b *bench) {
		for _, text := range texts {
			run := b.enter(b.accept(titled(request("a"), text)), "run")
			if _, _, err := b.records.Runs.RecordOutcome(b.ctx, run, provision.StatusFailed, provision.CodeImage, text); err != nil {
				b.Fatal(err)
			}
			b.leave(run, RunEnd{Ended: true})
			got := b.tell("a")
			if len(got) != 1 || got[0].Error != text || got[0].Code != provision.CodeImage || got[0].Store.Settings.Title != text {
				b.Errorf("%q comes back as %+v", text, got)
			}
		}
		// Bytes that are no text: what is told need not be equal, but it has to be told.
		run := b.enter(b.accept(request("b")), "run")
		if _, _, err := b.records.Runs.RecordOutcome(b.ctx, run, provision.StatusFailed, provision.CodeImage, "a\xff\xc3b\x00"); err != nil {
			b.Fatal(err)
		}
		if got := b.tell("b"); len(got) != 1 {
			b.Errorf("told %+v", got)
		}
	})
}

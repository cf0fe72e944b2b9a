package record

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// backedUp makes a store that is READY and has these backups, the last one the newest.
func (b *bench) backedUp(id string, runs ...string) {
	b.Helper()
	generation := b.madeReady(request(id)).Generation
	for i, run := range runs {
		t := queue.MaintenanceTask{Kind: queue.Backup, StoreID: id, Generation: generation, Cluster: provision.DefaultCluster}
		if !b.backUp(t, BackupEnd{Made: aBackup(run, time.Duration(len(runs)-i)*time.Hour)}) {
			b.Fatalf("backup %s of store %s is not recorded", run, id)
		}
	}
}

func (b *bench) putBack(id string, want provision.RestoreRequest) provision.Accepted {
	b.Helper()
	a, found, err := b.records.Repeats.Restore(b.ctx, id, 0, want, generationTimeout)
	if err != nil || !found {
		b.Fatalf("restoring store %s: found %t, %v", id, found, err)
	}
	return a
}

// restoreRefused is the error of a restore that is not accepted.
func (b *bench) restoreRefused(id string, want provision.RestoreRequest) string {
	b.Helper()
	_, _, err := b.records.Repeats.Restore(b.ctx, id, 0, want, generationTimeout)
	if provision.CodeOf(err) != provision.CodeConflict {
		b.Fatalf("restoring store %s to %q: %v, want code conflict", id, want.Backup, err)
	}
	return err.Error()
}

func (b *bench) runOf(a provision.Accepted) Run {
	b.Helper()
	task := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: a.Generation, Cluster: provision.DefaultCluster}
	return b.acquire(task, task.ID())
}

// restores is the run of the backup that the store's next run is told to restore; "" for none.
func (b *bench) restores(outcome provision.Status, code provision.Code) string {
	b.Helper()
	task := b.accept(titled(request("a"), string(outcome)+string(code)))
	run := b.acquire(task, task.ID())
	b.endWith(run, outcome, code)
	if run.Store.Restore == nil {
		return ""
	}
	return run.Store.Restore.Backup.Run
}

func (b *bench) endWith(run Run, outcome provision.Status, code provision.Code) {
	b.Helper()
	if got, _, err := b.records.Runs.RecordOutcome(b.ctx, run, outcome, code, ""); must(b, got, err) != OutcomeRecorded {
		b.Fatalf("%s of generation %d is not recorded: %s", outcome, run.Store.Generation, got)
	}
	b.release(run, RunEnd{Ended: true})
}

func (b *bench) pendingRestore() *provision.Restore {
	b.Helper()
	s, _, err := b.records.Requests.Store(b.ctx, "a")
	return must(b, s, err).Restore
}

func TestBackupsOfAStoreAreListedTheNewestFirst(t *testing.T) {
	each(t, func(b *bench) {
		var runs []string
		for i := range provision.MaxBackups + 3 {
			runs = append(runs, "run-"+strconv.Itoa(i))
		}
		b.backedUp("a", runs...)
		s, _, err := b.records.Requests.Store(b.ctx, "a")
		got := must(b, s, err).Backups
		if len(got) != provision.MaxBackups || got[0].Run != runs[len(runs)-1] || got[len(got)-1].Run != runs[3] {
			b.Errorf("%d backups, from %s to %s", len(got), got[0].Run, got[len(got)-1].Run)
		}
		if page, err := b.records.Requests.Find(b.ctx, provision.StoreFilter{}, "", 1); err != nil || len(page.Stores[0].Backups) != 0 {
			b.Errorf("the list of stores has them too: %v, %v", page, err)
		}
	})
}

func TestARestoreNamesABackupThatIsKnown(t *testing.T) {
	each(t, func(b *bench) {
		b.madeReady(request("a"))
		if text := b.restoreRefused("a", provision.RestoreRequest{}); !strings.Contains(text, "no backup of store a is known") {
			b.Error(text)
		}
		b.backedUp("a", "older", "newer")
		if text := b.restoreRefused("a", provision.RestoreRequest{Backup: "another"}); !strings.Contains(text, `no backup "another"`) {
			b.Error(text)
		}
		for want, request := range map[string]provision.RestoreRequest{"newer": {}, "older": {Backup: "older"}} {
			b.putBack("a", request)
			if got := b.pendingRestore(); got == nil || got.Backup.Run != want {
				b.Errorf("asked for %q: %+v, want %s", request.Backup, got, want)
			}
		}
		if _, found, err := b.records.Repeats.Restore(b.ctx, "unknown", 0, provision.RestoreRequest{}, generationTimeout); found || err != nil {
			b.Errorf("an unknown store: found %t, %v", found, err)
		}
	})
}

// TestARestoreIsNotOvertaken: what is in the store may be half of it, so that each later run goes on, until one is READY.
func TestARestoreIsNotOvertaken(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one", "two")
		asked := b.putBack("a", provision.RestoreRequest{})
		if again := b.putBack("a", provision.RestoreRequest{Backup: "two"}); !again.Joined || again.Generation != asked.Generation {
			b.Errorf("asked for again: %+v", again)
		}
		for _, outcome := range []struct {
			status provision.Status
			code   provision.Code
		}{{provision.StatusFailed, provision.CodeCrash}, {provision.StatusFailed, provision.CodeTimeout}, {provision.StatusReady, ""}} {
			if got := b.restores(outcome.status, outcome.code); got != "two" {
				b.Errorf("before %s the run is told of %q, want two", outcome.status, got)
			}
		}
		if got := b.restores(provision.StatusReady, ""); got != "" || b.pendingRestore() != nil {
			b.Errorf("a store that is READY is restored again: %q, %+v", got, b.pendingRestore())
		}
	})
}

// TestARestoreTakesTheLatestBackupAskedFor, also where an earlier one was not done.
func TestARestoreTakesTheLatestBackupAskedFor(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one", "two")
		b.endWith(b.runOf(b.putBack("a", provision.RestoreRequest{})), provision.StatusFailed, provision.CodeCrash)
		run := b.runOf(b.putBack("a", provision.RestoreRequest{Backup: "one", NewPassword: true}))
		if r := run.Store.Restore; r == nil || r.Backup.Run != "one" || r.Generation != run.Store.Generation || run.Store.Rotation != r.Generation {
			b.Errorf("the run is told of %+v, and to rotate as of %d", r, run.Store.Rotation)
		}
	})
}

// TestARestoreThatWasRefusedIsForgotten: nothing was touched, so the shop goes on as it was.
func TestARestoreThatWasRefusedIsForgotten(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		b.putBack("a", provision.RestoreRequest{NewPassword: true})
		if got := b.restores(provision.StatusFailed, provision.CodeConflict); got != "one" {
			b.Errorf("a later run is told of %q", got)
		}
		if b.pendingRestore() == nil {
			b.Error("a conflict of another kind has the restore forgotten")
		}
		task := b.accept(titled(request("a"), "later"))
		run := b.acquire(task, task.ID())
		run.RestoreRefused = true
		b.endWith(run, provision.StatusFailed, provision.CodeConflict)
		if got := b.rotates(provision.StatusReady); got != 0 {
			b.Errorf("the shop that is as it was gets another password, as of %d", got)
		}
		if got := b.restores(provision.StatusReady, ""); got != "" {
			b.Errorf("the next run is told of %q", got)
		}
		b.putBack("a", provision.RestoreRequest{})
		if _, _, _, err := b.records.Repeats.Cancel(b.ctx, "a", 0); err != nil {
			b.Fatal(err)
		}
		if got := b.restores(provision.StatusReady, ""); got != "" {
			b.Errorf("after a cancel the next run is told of %q", got)
		}
	})
}

// TestACancelBringsARestoreBackThatIsHalfDone: what it has left in the store is no shop.
func TestACancelBringsARestoreBackThatIsHalfDone(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one", "two")
		first := b.putBack("a", provision.RestoreRequest{Backup: "one"})
		b.endWith(b.runOf(first), provision.StatusFailed, provision.CodeCrash)
		b.putBack("a", provision.RestoreRequest{Backup: "two"})
		if _, _, _, err := b.records.Repeats.Cancel(b.ctx, "a", 0); err != nil {
			b.Fatal(err)
		}
		if got := b.pendingRestore(); got == nil || got.Backup.Run != "one" || got.Generation != first.Generation {
			b.Errorf("after the cancel of another: %+v", got)
		}
	})
}

// TestADeleteTakesRestoreAndBackupsAlong, also where the next store is asked for before it has ended. One that retains the data leaves them.
func TestADeleteTakesRestoreAndBackupsAlong(t *testing.T) {
	each(t, func(b *bench) {
		for _, retain := range []bool{true, false} {
			b.backedUp("a", "one")
			b.endWith(b.runOf(b.putBack("a", provision.RestoreRequest{})), provision.StatusFailed, provision.CodeCrash)
			deletion := b.accept(provision.Request{StoreID: "a", Action: provision.OpDelete, RetainData: retain})
			run := b.acquire(deletion, deletion.ID())
			waiting := b.accept(request("a"))
			if got, _, err := b.records.Runs.RecordOutcome(b.ctx, run, provision.StatusDeleted, "", ""); must(b, got, err) != OutcomeRecorded {
				b.Fatal(got)
			}
			b.release(run, RunEnd{Ended: true})
			next := b.acquire(waiting, waiting.ID())
			if (next.Store.Restore != nil) != retain {
				b.Errorf("retained: %t; the next store is restored from %+v", retain, next.Store.Restore)
			}
			s, _, err := b.records.Requests.Store(b.ctx, "a")
			if must(b, s, err); (len(s.Backups) > 0) != retain || (s.Backup != nil) != retain {
				b.Errorf("retained: %t; the next store has %+v", retain, s.Backups)
			}
			b.endWith(next, provision.StatusReady, "")
		}
	})
}

// TestARunThatRestoresHasTimeForIt, whichever request it is of.
func TestARunThatRestoresHasTimeForIt(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		b.endWith(b.runOf(b.putBack("a", provision.RestoreRequest{})), provision.StatusFailed, provision.CodeCrash)
		task := b.accept(titled(request("a"), "later"))
		if run := b.acquire(task, task.ID()); run.TimeLeft <= provision.RestoreTimeout {
			b.Errorf("a later run has %s", run.TimeLeft)
		}
	})
}

// TestAStoreThatIsHalfRestoredDoesNotHeal: its database's pods are ready, and no shop is there.
func TestAStoreThatIsHalfRestoredDoesNotHeal(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		b.set(Options{Heal: true})
		b.endWith(b.runOf(b.putBack("a", provision.RestoreRequest{})), provision.StatusFailed, provision.CodeTimeout)
		if n := b.redis.Exists(b.ctx, prefix+"healing:"+provision.DefaultCluster).Val(); n != 0 {
			b.Error("it is looked at until its pods are ready")
		}
	})
}

func TestASuspendedStoreIsNotRestored(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		if _, _, err := b.records.Repeats.Suspend(b.ctx, "a", 0, "", generationTimeout); err != nil {
			b.Fatal(err)
		}
		b.restoreRefused("a", provision.RestoreRequest{})
	})
}

// TestADeletedStoreHasNoBackupsAnyMore: those of before are another shop's.
func TestADeletedStoreHasNoBackupsAnyMore(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		b.putBack("a", provision.RestoreRequest{})
		b.end(b.accept(provision.Request{StoreID: "a", Action: provision.OpDelete}), provision.StatusDeleted)
		b.restoreRefused("a", provision.RestoreRequest{})
		if got := b.restores(provision.StatusReady, ""); got != "" {
			b.Errorf("a new store is restored from %q", got)
		}
		b.restoreRefused("a", provision.RestoreRequest{})
	})
}

// TestARestoreSurvivesALossOfRedis, unless it has come to its READY.
func TestARestoreSurvivesALossOfRedis(t *testing.T) {
	each(t, func(b *bench) {
		for status, want := range map[provision.Status]bool{"": true, provision.StatusFailed: true, provision.StatusReady: false} {
			b.flush()
			made := aBackup("one", time.Hour)
			saved := provision.SavedState{Op: provision.OpProvision, Backup: made, Store: provision.Store{Request: request("a"), Generation: 7, Restore: &provision.Restore{Generation: 5, Backup: *made}}}
			if status != "" {
				saved.Outcome = &provision.Outcome{Generation: 7, Status: status}
			}
			if _, err := b.records.Recovery.Restore(b.ctx, provision.DefaultCluster, saved, generationTimeout); err != nil {
				b.Fatal(err)
			}
			got, _, err := b.records.Requests.Store(b.ctx, "a")
			if must(b, got, err); (got.Restore != nil) != want || len(got.Backups) != 1 || got.Backups[0].Run != "one" {
				b.Errorf("after %q: restore %+v, backups %+v", status, got.Restore, got.Backups)
			}
			if want && (got.Restore.Generation != 5 || got.Restore.Backup.Run != "one") {
				b.Errorf("after %q: %+v", status, got.Restore)
			}
		}
	})
}

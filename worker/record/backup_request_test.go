package record

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// onRequest makes no backups by the clock.
var onRequest = BackupPolicy{Kind: queue.Backup, OnRequest: true, AtOnce: 2}

func (b *bench) requestBackup(id string) time.Time {
	b.Helper()
	at, found, err := b.records.Backups.RequestBackup(b.ctx, id, 0)
	if !found {
		b.Fatalf("%s is not found", id)
	}
	return must(b, at, err)
}

// TestRequestBackupIsMadeFirst: before those that the clock comes to, which keep their places, and once, however often it was asked for.
func TestRequestBackupIsMadeFirst(t *testing.T) {
	each(t, func(b *bench) {
		for _, id := range []string{"a", "b", "c"} {
			b.madeReady(request(id))
		}
		b.nextBackups(daily)
		b.backupDue("a", "b")
		wait := b.dueIn("c")
		at := b.requestBackup("c")
		if again := b.requestBackup("c"); !again.Equal(at) || !b.state("c").BackupRequestedAt.Equal(at) || time.Since(at) > time.Minute {
			b.Errorf("asked for at %s, then at %s; it has %s", at, again, b.state("c").BackupRequestedAt)
		}
		one := daily
		one.AtOnce = 1
		tasks := b.nextBackups(one)
		if len(tasks) != 1 || tasks[0].StoreID != "c" || len(b.nextBackups(one)) != 0 {
			b.Fatalf("first come %v", idsOfTasks(tasks))
		}
		b.backUp(tasks[0], BackupEnd{Made: aBackup("r", 0)})
		if s := b.state("c"); !s.BackupRequestedAt.IsZero() || s.Backup == nil || s.Backup.At.Before(at.Truncate(time.Second)) || (b.dueIn("c")-wait).Abs() > time.Minute {
			b.Errorf("once it is made: %+v, asked for at %s; the clock comes in %s", s.Backup, s.BackupRequestedAt, b.dueIn("c"))
		}
		if next := b.nextBackups(one); len(next) != 1 || next[0].StoreID == "c" {
			b.Errorf("then come %v", idsOfTasks(next))
		}
	})
}

// TestRequestBackupWithoutAClock: those that are asked for are made, and no others, and no store comes into a schedule.
func TestRequestBackupWithoutAClock(t *testing.T) {
	each(t, func(b *bench) {
		b.madeReady(request("a"))
		b.madeReady(request("b"))
		if due := b.nextBackups(onRequest); len(due) != 0 {
			b.Fatalf("%v are due", idsOfTasks(due))
		}
		b.requestBackup("a")
		tasks := b.nextBackups(onRequest)
		if len(tasks) != 1 || tasks[0].StoreID != "a" || !b.backUp(tasks[0], BackupEnd{Made: aBackup("r", 0)}) {
			b.Fatalf("%v are made", idsOfTasks(tasks))
		}
		if n := b.redis.ZCard(b.ctx, keyBackups).Val() + b.redis.ZCard(b.ctx, keyBackedUp+request("a").Engine).Val() + b.redis.ZCard(b.ctx, keyBackupRequests).Val(); n != 0 || len(b.nextBackups(onRequest)) != 0 {
			b.Errorf("%d entries are left", n)
		}
	})
}

// TestRequestBackupBeginsAfterIt: one that was under way before does not count, and neither does its failure.
func TestRequestBackupBeginsAfterIt(t *testing.T) {
	for name, end := range map[string]BackupEnd{"made": {Made: aBackup("early", time.Minute)}, "failed": {Code: provision.CodeCrash, Error: "full", Retry: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				b.madeReady(request("a"))
				b.nextBackups(daily)
				b.backupDue("a")
				running := b.nextBackups(daily)[0]
				b.redis.ZAdd(b.ctx, keyBackupsRunning, redis.Z{Member: "a", Score: float64(time.Now().Add(-time.Minute).UnixMilli())})
				at := b.requestBackup("a")
				if due := b.nextBackups(daily); len(due) != 0 {
					b.Fatalf("it is backed up twice at a time: %v", idsOfTasks(due))
				}
				b.backUp(running, end)
				if !b.state("a").BackupRequestedAt.Equal(at) {
					b.Errorf("the request is over: %+v", b.state("a").Backup)
				}
				next := b.nextBackups(daily)
				if len(next) != 1 || !b.backUp(next[0], BackupEnd{Made: aBackup("late", 0)}) || !b.state("a").BackupRequestedAt.IsZero() {
					b.Errorf("then %v are made", idsOfTasks(next))
				}
			})
		})
	}
}

// TestRequestBackupEnds: with a failure, and with a store that is not READY in the end; what something else comes before is made later.
func TestRequestBackupEnds(t *testing.T) {
	each(t, func(b *bench) {
		b.madeReady(request("a"))
		b.nextBackups(onRequest)
		next := func() queue.MaintenanceTask {
			b.Helper()
			b.redis.ZAddXX(b.ctx, keyBackupRequests, redis.Z{Member: "a", Score: 1})
			tasks := b.nextBackups(onRequest)
			if len(tasks) != 1 {
				b.Fatalf("due are %v", idsOfTasks(tasks))
			}
			return tasks[0]
		}
		at := b.requestBackup("a")
		b.backUp(next(), BackupEnd{})
		if !b.state("a").BackupRequestedAt.Equal(at) || len(b.nextBackups(onRequest)) != 0 {
			b.Error("after one that something else came before the request is over, or it is made at once")
		}
		changed := b.accept(titled(request("a"), "x"))
		b.redis.ZAddXX(b.ctx, keyBackupRequests, redis.Z{Member: "a", Score: 1})
		if due := b.nextBackups(onRequest); len(due) != 0 || b.state("a").BackupRequestedAt.IsZero() {
			b.Errorf("while a run is under way %v are due", idsOfTasks(due))
		}
		b.end(changed, provision.StatusReady)
		b.backUp(next(), BackupEnd{Code: provision.CodeCrash, Error: "the gate is full", Retry: time.Hour})
		if s := b.state("a"); !s.BackupRequestedAt.IsZero() || s.BackupFailure == nil || len(b.nextBackups(onRequest)) != 0 {
			b.Errorf("after a failure: asked for at %s, %+v", s.BackupRequestedAt, s.BackupFailure)
		}
		b.requestBackup("a")
		b.end(b.accept(titled(request("a"), "y")), provision.StatusFailed)
		b.redis.ZAddXX(b.ctx, keyBackupRequests, redis.Z{Member: "a", Score: 1})
		if due := b.nextBackups(onRequest); len(due) != 0 || !b.state("a").BackupRequestedAt.IsZero() || b.redis.ZCard(b.ctx, keyBackupRequests).Val() != 0 {
			b.Errorf("of a store that has failed %v are due", idsOfTasks(due))
		}
	})
}

// TestTheBackupBeforeAnUpgradeIsTheOneAskedFor if it begins after that.
func TestTheBackupBeforeAnUpgradeIsTheOneAskedFor(t *testing.T) {
	each(t, func(b *bench) {
		b.madeReady(request("a"))
		b.nextBackups(onRequest)
		b.startRollout(provision.RolloutPlan{Waves: []string{"100%"}})
		b.requestBackup("a")
		run, _, _ := b.turn(b.step()[0], 2)
		if due := b.nextBackups(onRequest); len(due) != 0 {
			b.Errorf("beside it %v are made", idsOfTasks(due))
		}
		if !b.endUpgradeBackup(run, aBackup("r", 0)) || !b.state("a").BackupRequestedAt.IsZero() {
			b.Errorf("it is still asked for: %s", b.state("a").BackupRequestedAt)
		}
	})
}

func TestRequestBackupIsRefused(t *testing.T) {
	each(t, func(b *bench) {
		refused := func(id string, generation int64, code provision.Code, says string) {
			b.Helper()
			if _, found, err := b.records.Backups.RequestBackup(b.ctx, id, generation); !found || provision.CodeOf(err) != code || !strings.Contains(provision.Public(err), says) {
				b.Errorf("%s: %t, %v", id, found, err)
			}
		}
		task := b.madeReady(request("ready"))
		refused("ready", 0, provision.CodeConflict, "no worker of this installation makes backups")
		b.nextBackups(onRequest)
		refused("ready", task.Generation-1, provision.CodeSuperseded, "newer request")
		if _, _, err := b.records.Backups.RequestBackup(b.ctx, "ready", task.Generation); err != nil {
			b.Error(err)
		}
		b.end(b.accept(request("failed")), provision.StatusFailed)
		refused("failed", 0, provision.CodeConflict, "mend it first")
		b.accept(request("new"))
		refused("new", 0, provision.CodeConflict, "has not ended yet")
		b.madeReady(request("deleted"))
		deleting := b.accept(deletion("deleted"))
		refused("deleted", 0, provision.CodeConflict, "is being deleted")
		b.end(deleting, provision.StatusDeleted)
		refused("deleted", 0, provision.CodeConflict, "is deleted")
		b.madeReady(request("suspended"))
		accepted, _, err := b.records.Repeats.Suspend(b.ctx, "suspended", 0, "", generationTimeout)
		if err != nil {
			b.Fatal(err)
		}
		refused("suspended", 0, provision.CodeConflict, "resume it first")
		b.end(queue.Task{Op: provision.OpProvision, StoreID: "suspended", Generation: accepted.Generation, Cluster: "default"}, provision.StatusSuspended)
		refused("suspended", 0, provision.CodeConflict, "resume it first")
		if _, found, err := b.records.Backups.RequestBackup(b.ctx, "unknown", 0); found || err != nil {
			b.Errorf("unknown: %t, %v", found, err)
		}
		b.redis.Set(b.ctx, keyBackupsScheduled, "1", time.Hour)
		b.madeReady(request("again"))
		b.requestBackup("again")
		b.end(b.accept(deletion("again")), provision.StatusDeleted)
		b.madeReady(request("again"))
		if s := b.state("again"); !s.BackupRequestedAt.IsZero() {
			b.Errorf("the new one has a request of the one before: %s", s.BackupRequestedAt)
		}
	})
}

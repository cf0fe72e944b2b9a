package record

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

var daily = BackupPolicy{Kind: queue.Backup, Every: 24 * time.Hour, AtOnce: 2}

// nextBackups are the stores that are to be backed up now.
func (b *bench) nextBackups(p BackupPolicy) (tasks []queue.MaintenanceTask) {
	b.Helper()
	tasks, err := b.records.Backups.Next(b.ctx, p)
	return must(b, tasks, err)
}

// backupDue lets the time of stores in the schedule come.
func (b *bench) backupDue(ids ...string) {
	b.Helper()
	for _, id := range ids {
		if _, err := b.redis.ZScore(b.ctx, keyBackups, id).Result(); err != nil {
			b.Fatalf("%s is not in the schedule: %v", id, err)
		}
		b.redis.ZAdd(b.ctx, keyBackups, redis.Z{Member: id, Score: 1})
	}
}

func idsOfTasks(tasks []queue.MaintenanceTask) (ids []string) {
	for _, t := range tasks {
		ids = append(ids, t.StoreID)
	}
	slices.Sort(ids)
	return ids
}

// dueIn is for how long a store is not backed up.
func (b *bench) dueIn(id string) time.Duration {
	b.Helper()
	score, err := b.redis.ZScore(b.ctx, keyBackups, id).Result()
	return time.Until(time.UnixMilli(int64(must(b, score, err))))
}

// backUp makes a backup of a store that was handed out.
func (b *bench) backUp(t queue.MaintenanceTask, end BackupEnd) (recorded bool) {
	b.Helper()
	run := b.maintain(queue.Task{Op: provision.OpProvision, StoreID: t.StoreID, Generation: t.Generation, Cluster: t.Cluster}, "backup")
	recorded, err := b.records.Backups.End(b.ctx, t, run.Token, end)
	b.release(run, RunEnd{})
	return must(b, recorded, err)
}

func aBackup(run string, ago time.Duration) *provision.Backup {
	return &provision.Backup{Run: run, At: time.Now().Add(-ago).UTC().Truncate(time.Millisecond), Database: "d", Files: "f", Secrets: "s", Orders: 2}
}

// TestNextBackupsAreSpreadOverThePeriod: each store at a place of its own, and all within the first.
func TestNextBackupsAreSpreadOverThePeriod(t *testing.T) {
	each(t, func(b *bench) {
		var waits []time.Duration
		for i := range 40 {
			b.madeReady(request("s" + strconv.Itoa(i)))
		}
		if due := b.nextBackups(daily); len(due) > 1 {
			b.Errorf("%v are due at once", idsOfTasks(due))
		}
		for i := range 40 {
			waits = append(waits, b.dueIn("s"+strconv.Itoa(i)))
		}
		if first, last := slices.Min(waits), slices.Max(waits); first > 4*time.Hour || last < 20*time.Hour || last > 24*time.Hour {
			b.Errorf("the first is due in %s, the last in %s", first, last)
		}
		before := waits[7]
		b.redis.ZRem(b.ctx, keyBackups, "s7")
		b.nextBackups(daily)
		if again := b.dueIn("s7"); (again - before).Abs() > time.Minute {
			b.Errorf("after a loss of the schedule it is due in %s, before in %s", again, before)
		}
	})
}

// TestNextBackupsRunSoManyAtOnce: one that has ended makes room, and so does one of which nothing was heard for hours.
func TestNextBackupsRunSoManyAtOnce(t *testing.T) {
	each(t, func(b *bench) {
		ids := []string{"a", "b", "c", "d"}
		for _, id := range ids {
			b.madeReady(request(id))
		}
		b.nextBackups(daily)
		b.backupDue(ids...)
		first := b.nextBackups(daily)
		if len(first) != 2 || len(b.nextBackups(daily)) != 0 {
			b.Fatalf("%v run", idsOfTasks(first))
		}
		if wait := b.dueIn(first[0].StoreID); wait < 23*time.Hour {
			b.Errorf("one that runs is due again in %s", wait)
		}
		if !b.backUp(first[0], BackupEnd{Made: aBackup("r", 0)}) {
			b.Error("it was not recorded")
		}
		second := b.nextBackups(daily)
		if len(second) != 1 || slices.Contains(idsOfTasks(first), second[0].StoreID) {
			b.Fatalf("then %v run", idsOfTasks(second))
		}
		b.redis.ZAdd(b.ctx, keyBackupsRunning, redis.Z{Member: first[1].StoreID, Score: 1})
		if third := b.nextBackups(daily); len(third) != 1 {
			b.Errorf("after one that never ended %v run", idsOfTasks(third))
		}
	})
}

// TestNextBackupsAreOfShopsThatRun: not of one that is stopped or gone, which is forgotten, nor of one that something is to be done at, which comes later.
func TestNextBackupsAreOfShopsThatRun(t *testing.T) {
	each(t, func(b *bench) {
		failed := b.accept(request("failed"))
		b.end(failed, provision.StatusFailed)
		b.accept(request("waits"))
		for _, id := range []string{"gone", "suspended", "busy", "ready"} {
			b.madeReady(request(id))
		}
		b.nextBackups(daily)
		b.end(b.accept(deletion("gone")), provision.StatusDeleted)
		accepted, _, err := b.records.Repeats.Suspend(b.ctx, "suspended", 0, "", generationTimeout)
		if err != nil {
			b.Fatal(err)
		}
		b.end(queue.Task{Op: provision.OpProvision, StoreID: "suspended", Generation: accepted.Generation, Cluster: "default"}, provision.StatusSuspended)
		b.accept(titled(request("busy"), "x"))
		b.backupDue("gone", "suspended", "busy", "ready")
		if due := idsOfTasks(b.nextBackups(daily)); !slices.Equal(due, []string{"ready"}) {
			b.Errorf("%v are backed up", due)
		}
		if left := b.redis.ZRange(b.ctx, keyBackups, 0, -1).Val(); !slices.Equal(left, []string{"busy", "ready"}) {
			b.Errorf("in the schedule are %v", left)
		}
		if wait := b.dueIn("busy"); wait < 5*time.Minute || wait > 15*time.Minute {
			b.Errorf("one that is busy is tried again in %s", wait)
		}
	})
}

// TestEndOfABackup: what was made is shown; a failure beside the last good one, since when; and neither where something else came first.
func TestEndOfABackup(t *testing.T) {
	each(t, func(b *bench) {
		task := b.madeReady(request("a"))
		b.nextBackups(daily)
		next := func() queue.MaintenanceTask {
			b.Helper()
			b.backupDue("a")
			tasks := b.nextBackups(daily)
			if len(tasks) != 1 || tasks[0].Kind != queue.Backup || tasks[0].Generation != task.Generation {
				b.Fatalf("due are %+v", tasks)
			}
			return tasks[0]
		}
		made := aBackup("r1", time.Hour)
		b.backUp(next(), BackupEnd{Made: made})
		if s := b.state("a"); s.Backup == nil || *s.Backup != *made || s.BackupFailure != nil {
			b.Errorf("state: %+v, %+v", s.Backup, s.BackupFailure)
		}
		failure := BackupEnd{Code: provision.CodeCrash, Error: "the gate is away", Retry: time.Hour}
		b.backUp(next(), failure)
		s := b.state("a")
		if s.Backup == nil || s.Backup.Run != "r1" || s.BackupFailure == nil || s.BackupFailure.Error != "the gate is away" || time.Since(s.BackupFailure.Since) > time.Minute {
			b.Fatalf("state: %+v, %+v", s.Backup, s.BackupFailure)
		}
		if wait := b.dueIn("a"); wait < 50*time.Minute || wait > time.Hour {
			b.Errorf("it is tried again in %s", wait)
		}
		b.redis.HSet(b.ctx, keyStore("a"), "backup_failed_since", 1000)
		failure.Error = "the gate is full"
		b.backUp(next(), failure)
		if s := b.state("a"); s.BackupFailure.Error != "the gate is full" || s.BackupFailure.Since.UnixMilli() != 1000 {
			b.Errorf("after another failure: %+v", s.BackupFailure)
		}
		b.backUp(next(), BackupEnd{})
		if s, wait := b.state("a"), b.dueIn("a"); s.BackupFailure == nil || wait > 15*time.Minute {
			b.Errorf("after one that something else came before: %+v, due in %s", s.BackupFailure, wait)
		}
		b.backUp(next(), BackupEnd{Made: aBackup("r2", 0)})
		if s := b.state("a"); s.Backup.Run != "r2" || s.BackupFailure != nil {
			b.Errorf("then: %+v, %+v", s.Backup, s.BackupFailure)
		}
	})
}

// TestABackupMakesWay: nothing is recorded of a store that was asked for again, or whose lease another one has; and it gives its place back.
func TestABackupMakesWay(t *testing.T) {
	for name, change := range map[string]func(b *bench, token string) string{
		"a newer request":      func(b *bench, token string) string { b.accept(titled(request("a"), "x")); return token },
		"a delete":             func(b *bench, token string) string { b.accept(deletion("a")); return token },
		"a lease that is lost": func(*bench, string) string { return "of another" },
		"a lease it never had": func(*bench, string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				task := b.madeReady(request("a"))
				b.nextBackups(daily)
				b.backupDue("a")
				handed := b.nextBackups(daily)[0]
				token := change(b, b.maintain(task, "backup").Token)
				recorded, err := b.records.Backups.End(b.ctx, handed, token, BackupEnd{Made: aBackup("r", 0)})
				if err != nil || recorded || b.state("a").Backup != nil {
					b.Errorf("recorded: %t, %v", recorded, err)
				}
				if n := b.redis.ZCard(b.ctx, keyBackupsRunning).Val(); n != 0 || b.dueIn("a") > 15*time.Minute {
					b.Errorf("%d count as running; it is due in %s", n, b.dueIn("a"))
				}
			})
		})
	}
}

// TestBackupsOfANewStoreAreItsOwn: what was made of a store of that id before it was deleted is none of the new one.
func TestBackupsOfANewStoreAreItsOwn(t *testing.T) {
	each(t, func(b *bench) {
		b.madeReady(request("a"))
		b.nextBackups(daily)
		b.backupDue("a")
		b.backUp(b.nextBackups(daily)[0], BackupEnd{Made: aBackup("r", 0)})
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		if s := b.state("a"); s.Backup == nil {
			b.Error("of a deleted store it is not known any more")
		}
		b.madeReady(request("a"))
		if s := b.state("a"); s.Backup != nil {
			b.Errorf("the new one has %+v", s.Backup)
		}
	})
}

func TestAgesOfBackups(t *testing.T) {
	each(t, func(b *bench) {
		ages := func() BackupAge {
			b.Helper()
			all, err := b.records.Backups.Ages(b.ctx, queue.Backup, []string{"medusa", "woocommerce"}, 2*daily.Every)
			return must(b, all, err)[request("a").Engine]
		}
		if a := ages(); a != (BackupAge{}) {
			b.Errorf("without stores: %+v", a)
		}
		for _, id := range []string{"a", "b"} {
			b.madeReady(request(id))
		}
		b.nextBackups(daily)
		if a := ages(); a.Stores != 2 || a.Overdue != 0 || time.Since(a.Oldest) > time.Minute {
			b.Errorf("of new stores: %+v", a)
		}
		b.backupDue("a")
		b.backUp(b.nextBackups(daily)[0], BackupEnd{Made: aBackup("r", 49*time.Hour)})
		if a := ages(); a.Stores != 2 || a.Overdue != 1 || time.Since(a.Oldest).Round(time.Hour) != 49*time.Hour {
			b.Errorf("of an old backup: %+v", a)
		}
	})
}

// TestABackupComesBackAfterALossOfRedis: as the cluster has saved it, and its age is counted from it.
func TestABackupComesBackAfterALossOfRedis(t *testing.T) {
	each(t, func(b *bench) {
		task, made := b.madeReady(request("a")), aBackup("r", 40*time.Hour)
		b.flush()
		saved := provision.SavedState{Store: provision.Store{Request: request("a"), Generation: task.Generation}, Op: provision.OpProvision,
			Outcome: &provision.Outcome{Generation: task.Generation, Status: provision.StatusReady}, Delivered: true, Backup: made}
		if found, err := b.records.Recovery.Restore(b.ctx, "default", saved, generationTimeout); err != nil || found.Result != Restored {
			b.Fatal(found, err)
		}
		b.markComplete()
		if s := b.state("a"); s.Backup == nil || *s.Backup != *made {
			b.Errorf("restored: %+v", s.Backup)
		}
		b.nextBackups(daily)
		all, err := b.records.Backups.Ages(b.ctx, queue.Backup, []string{request("a").Engine}, time.Hour)
		if a := must(b, all, err)[request("a").Engine]; time.Since(a.Oldest).Round(time.Hour) != 40*time.Hour {
			b.Errorf("its age is counted from %s", a.Oldest)
		}
	})
}

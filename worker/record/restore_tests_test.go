package record

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

var quarterly = BackupPolicy{Kind: queue.RestoreTest, Every: 90 * 24 * time.Hour, AtOnce: 1}

// testDue lets the time of stores come whose backup is to be tested.
func (b *bench) testDue(ids ...string) {
	b.Helper()
	b.nextBackups(quarterly)
	for _, id := range ids {
		if _, err := b.redis.ZScore(b.ctx, keyRestoreTests, id).Result(); err != nil {
			b.Fatalf("%s is not in the schedule: %v", id, err)
		}
		b.redis.ZAdd(b.ctx, keyRestoreTests, redis.Z{Member: id, Score: 1})
	}
}

func (b *bench) testDueIn(id string) time.Duration {
	b.Helper()
	score, err := b.redis.ZScore(b.ctx, keyRestoreTests, id).Result()
	return time.Until(time.UnixMilli(int64(must(b, score, err))))
}

func passed(run string, ago time.Duration) *provision.RestoreTest {
	at := time.Now().Add(-ago).UTC().Truncate(time.Second)
	return &provision.RestoreTest{Run: run, BackupAt: at.Add(-time.Hour), At: at, Seconds: 70}
}

// TestRestoreTestsAreOfStoresThatHaveABackup, as many at a time as the policy says, and apart from the backups that are under way.
func TestRestoreTestsAreOfStoresThatHaveABackup(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		b.backedUp("b", "one")
		b.madeReady(request("none"))
		b.testDue("a", "b")
		if n := b.redis.ZScore(b.ctx, keyRestoreTests, "none").Err(); n == nil {
			b.Error("a store without a backup is in the schedule")
		}
		first := b.nextBackups(quarterly)
		if len(first) != 1 || first[0].Kind != queue.RestoreTest || len(b.nextBackups(quarterly)) != 0 {
			b.Fatalf("%v run", first)
		}
		if wait := b.testDueIn(first[0].StoreID); wait < 89*24*time.Hour {
			b.Errorf("it is due again in %s", wait)
		}
		b.nextBackups(daily)
		b.backupDue(first[0].StoreID)
		if due := idsOfTasks(b.nextBackups(daily)); !slices.Equal(due, []string{first[0].StoreID}) {
			b.Errorf("%v are backed up meanwhile", due)
		}
	})
}

// TestEndOfARestoreTest: which backup was proven, or why the last one was not, beside the last backup, which stays.
func TestEndOfARestoreTest(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		next := func() queue.MaintenanceTask {
			b.Helper()
			b.testDue("a")
			return b.nextBackups(quarterly)[0]
		}
		good := passed("one", time.Minute)
		if task := next(); !b.backUp(task, BackupEnd{Passed: good}) {
			b.Error("it was not recorded")
		}
		if s := b.state("a"); s.RestoreTest == nil || *s.RestoreTest != *good || s.RestoreTestFailure != nil || s.Backup.Run != "one" || len(s.Backups) > 1 {
			b.Errorf("state: %+v, %+v, %+v", s.RestoreTest, s.RestoreTestFailure, s.Backup)
		}
		b.backUp(next(), BackupEnd{Code: provision.CodeCrash, Error: "the dump has no end", Retry: time.Hour})
		s := b.state("a")
		if s.RestoreTest == nil || *s.RestoreTest != *good || s.RestoreTestFailure == nil || s.RestoreTestFailure.Error != "the dump has no end" || s.BackupFailure != nil {
			b.Fatalf("state: %+v, %+v, %+v", s.RestoreTest, s.RestoreTestFailure, s.BackupFailure)
		}
		if wait := b.testDueIn("a"); wait < 50*time.Minute || wait > time.Hour {
			b.Errorf("it is tried again in %s", wait)
		}
		b.backUp(next(), BackupEnd{})
		if s, wait := b.state("a"), b.testDueIn("a"); s.RestoreTestFailure == nil || wait > 15*time.Minute {
			b.Errorf("after one that something else came before: %+v, due in %s", s.RestoreTestFailure, wait)
		}
		again := passed("one", 0)
		b.backUp(next(), BackupEnd{Passed: again})
		if s := b.state("a"); *s.RestoreTest != *again || s.RestoreTestFailure != nil {
			b.Errorf("then: %+v, %+v", s.RestoreTest, s.RestoreTestFailure)
		}
	})
}

// TestARestoreTestIsOfTheLastGoodBackup: the run gets it with the lease.
func TestARestoreTestIsOfTheLastGoodBackup(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one", "two")
		run := b.maintain(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: b.state("a").Generation, Cluster: "default"}, "test")
		if run.Backup == nil || run.Backup.Run != "two" {
			b.Errorf("%+v is tested", run.Backup)
		}
		none := b.maintain(b.madeReady(request("none")), "test")
		if none.Backup != nil {
			b.Errorf("%+v is tested", none.Backup)
		}
	})
}

// TestRestoreTestsOfANewStoreAreItsOwn, and nothing is tested of one that is gone.
func TestRestoreTestsOfANewStoreAreItsOwn(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		b.testDue("a")
		b.backUp(b.nextBackups(quarterly)[0], BackupEnd{Passed: passed("one", 0)})
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.redis.ZAdd(b.ctx, keyRestoreTests, redis.Z{Member: "a", Score: 1})
		if due := b.nextBackups(quarterly); len(due) > 0 || b.redis.ZCard(b.ctx, keyRestoreTests).Val() > 0 {
			b.Errorf("%v are tested; %d are in the schedule", due, b.redis.ZCard(b.ctx, keyRestoreTests).Val())
		}
		b.madeReady(request("a"))
		if s := b.state("a"); s.RestoreTest != nil {
			b.Errorf("the new one has %+v", s.RestoreTest)
		}
	})
}

func TestAgesOfRestoreTests(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		b.backedUp("b", "one")
		b.testDue("a")
		b.backUp(b.nextBackups(quarterly)[0], BackupEnd{Passed: passed("one", 49*time.Hour)})
		all, err := b.records.Backups.Ages(b.ctx, queue.RestoreTest, []string{request("a").Engine}, 48*time.Hour)
		if age := must(b, all, err)[request("a").Engine]; age.Stores != 2 || age.Overdue != 1 || time.Since(age.Oldest).Round(time.Hour) != 49*time.Hour {
			b.Errorf("%+v", age)
		}
	})
}

// TestARestoreTestSurvivesALossOfRedis: it comes back from the store's namespace, with the backup.
func TestARestoreTestSurvivesALossOfRedis(t *testing.T) {
	each(t, func(b *bench) {
		b.backedUp("a", "one")
		b.testDue("a")
		good := passed("one", time.Hour)
		b.backUp(b.nextBackups(quarterly)[0], BackupEnd{Passed: good})
		s := b.state("a")
		b.flush()
		saved := provision.SavedState{Store: provision.Store{Request: request("a"), Generation: s.Generation}, Op: provision.OpProvision, Backup: s.Backup, RestoreTest: good,
			Outcome: &provision.Outcome{Generation: s.Generation, Status: provision.StatusReady}, Delivered: true}
		if _, err := b.records.Recovery.Restore(b.ctx, provision.DefaultCluster, saved, time.Hour); err != nil {
			b.Fatal(err)
		}
		if got := b.state("a").RestoreTest; got == nil || *got != *good {
			b.Errorf("%+v is known", got)
		}
		b.testDue("a")
		if score := b.redis.ZScore(b.ctx, keyRestoreTested+request("a").Engine, "a").Val(); int64(score) != good.At.UnixMilli() {
			b.Errorf("its age is that of %s", time.UnixMilli(int64(score)))
		}
	})
}

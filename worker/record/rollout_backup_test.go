package record

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// turn is a store whose upgrade has the lease, and may back the store up as one of so many.
func (b *bench) turn(task queue.MaintenanceTask, atOnce int) (run Run, why string, terms provision.UpgradeTerms) {
	b.Helper()
	got, run, err := b.records.Runs.AcquireMaintenance(b.ctx, task, "turn-"+task.ID(), leaseTTL)
	if must(b, got, err) != Acquired {
		b.Fatal(got)
	}
	why, terms, err = b.records.Rollouts.BeginUpgrade(b.ctx, run, "e2", atOnce)
	return run, must(b, why, err), terms
}

func (b *bench) endUpgradeBackup(run Run, made *provision.Backup) bool {
	b.Helper()
	recorded, err := b.records.Rollouts.EndUpgradeBackup(b.ctx, run, made)
	return must(b, recorded, err)
}

// TestTheBackupBeforeAnUpgradeIsOnRecordAtOnce: as the store's newest, and for the tries of the upgrade that follow; when the clock's next one is made stays as it is.
func TestTheBackupBeforeAnUpgradeIsOnRecordAtOnce(t *testing.T) {
	each(t, func(b *bench) {
		task := b.madeReady(request("a"))
		b.nextBackups(daily)
		wait := b.dueIn("a")
		b.startRollout(provision.RolloutPlan{Waves: []string{"100%"}})
		up := b.step()[0]
		run, why, terms := b.turn(up, 1)
		if why != "" || terms.Backup != nil || terms.WithoutBackup {
			b.Fatalf("it begins with %q, %+v", why, terms)
		}
		made := aBackup("r", time.Minute)
		for range 2 { // the first answer was lost
			if !b.endUpgradeBackup(run, made) {
				b.Error("it was not recorded")
			}
		}
		s := b.state("a")
		if s.Backup == nil || *s.Backup != *made || len(s.KnownBackups()) != 1 || (b.dueIn("a")-wait).Abs() > time.Minute {
			b.Errorf("state: %+v, of %d; the next one is due in %s", s.Backup, len(s.KnownBackups()), b.dueIn("a"))
		}
		if all, err := b.records.Backups.Ages(b.ctx, queue.Backup, []string{request("a").Engine}, time.Hour); time.Since(must(b, all, err)[request("a").Engine].Oldest).Round(time.Minute) != time.Minute {
			b.Errorf("its age is counted from %+v", all)
		}
		b.release(run, RunEnd{}) // the worker ends before anything is applied
		if run, why, terms = b.turn(up, 1); why != "" || terms.Backup == nil || *terms.Backup != *made {
			b.Errorf("another try begins with %q, %+v", why, terms)
		}
		old := b.redis.HGet(b.ctx, keyRollout+":backups", "a").Val()
		b.redis.HSet(b.ctx, keyRollout+":backups", "a", strings.Replace(old, fmt.Sprint(task.Generation, " "), fmt.Sprint(task.Generation, " 1 "), 1))
		b.release(run, RunEnd{})
		if run, why, terms = b.turn(up, 1); why != "" || terms.Backup != nil {
			b.Errorf("a try of much later begins with %q, %+v", why, terms)
		}
		recorded, err := b.records.Rollouts.EndUpgrade(b.ctx, run, provision.Upgraded{Result: provision.UpgradeDone, Edition: "e2"})
		if !must(b, recorded, err) || b.redis.HLen(b.ctx, keyRollout+":backups").Val() != 0 || b.state("a").Backup == nil {
			b.Errorf("after the upgrade: %t, %+v", recorded, b.state("a").Backup)
		}
	})
}

// TestTheBackupBeforeAnUpgradeMakesWay: nothing is recorded of a store that was asked for again, or whose lease another one has; and a newer request of the store has the
// next try make another backup.
func TestTheBackupBeforeAnUpgradeMakesWay(t *testing.T) {
	for name, change := range map[string]func(b *bench, run Run) Run{
		"a newer request":      func(b *bench, run Run) Run { b.accept(titled(request("a"), "x")); return run },
		"a delete":             func(b *bench, run Run) Run { b.accept(deletion("a")); return run },
		"a lease that is lost": func(b *bench, run Run) Run { run.Token = "of another"; return run },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				b.madeReady(request("a"))
				b.startRollout(provision.RolloutPlan{Waves: []string{"100%"}})
				run, _, _ := b.turn(b.step()[0], 1)
				if b.endUpgradeBackup(change(b, run), aBackup("r", 0)) || b.state("a").Backup != nil || b.redis.HLen(b.ctx, keyRollout+":backups").Val() != 0 {
					b.Errorf("recorded: %+v", b.state("a").Backup)
				}
			})
		})
	}
}

func TestANewerRequestHasAnotherBackupMadeBeforeTheUpgrade(t *testing.T) {
	each(t, func(b *bench) {
		b.madeReady(request("a"))
		b.startRollout(provision.RolloutPlan{Waves: []string{"100%"}})
		run, _, _ := b.turn(b.step()[0], 1)
		b.endUpgradeBackup(run, aBackup("r", 0))
		b.release(run, RunEnd{})
		b.end(b.accept(titled(request("a"), "x")), provision.StatusReady)
		b.step() // it goes back to those that are to come, or is taken as it is
		if _, why, terms := b.turn(b.step()[0], 1); why != "" || terms.Backup != nil {
			b.Errorf("it begins with %q, %+v", why, terms)
		}
	})
}

// TestBackupsBeforeUpgradesCountAmongThoseThatRun: of one that waits for a place nothing is touched; one that has ended, in whatever way, gives its place back.
func TestBackupsBeforeUpgradesCountAmongThoseThatRun(t *testing.T) {
	each(t, func(b *bench) {
		b.fleet(3)
		b.startRollout(provision.RolloutPlan{Waves: []string{"100%"}})
		tasks := b.step()
		first, why, _ := b.turn(tasks[0], 2)
		if why != "" {
			b.Fatal(why)
		}
		b.turn(tasks[0], 2) // once more, since its answer was lost
		second, why, _ := b.turn(tasks[1], 2)
		if why != "" {
			b.Fatal(why)
		}
		b.nextBackups(BackupPolicy{Kind: queue.Backup, Every: 24 * time.Hour, AtOnce: 2})
		b.backupDue("s000", "s001", "s002")
		if due := b.nextBackups(BackupPolicy{Kind: queue.Backup, Every: 24 * time.Hour, AtOnce: 2}); len(due) != 0 {
			b.Errorf("beside them %v run", idsOfTasks(due))
		}
		third, why, _ := b.turn(tasks[2], 2)
		if !strings.Contains(why, "2 backups run already") {
			b.Errorf("a third one begins: %q", why)
		}
		b.release(third, RunEnd{})
		other := first
		other.Token = "of an earlier try"
		b.endUpgradeBackup(other, nil)
		if third, why, _ = b.turn(tasks[2], 2); why == "" {
			b.Error("a run whose lease another one has gives the place back of that one")
		}
		b.release(third, RunEnd{})
		b.endUpgradeBackup(first, nil)
		if _, why, _ = b.turn(tasks[2], 2); why != "" {
			b.Errorf("after one that has failed: %q", why)
		}
		b.endUpgradeBackup(second, aBackup("r", 0))
		if due := b.nextBackups(BackupPolicy{Kind: queue.Backup, Every: 24 * time.Hour, AtOnce: 2}); len(due) != 1 {
			b.Errorf("then %v run", idsOfTasks(due))
		}
		if _, why, _ = b.turn(tasks[1], 0); why != "" {
			b.Errorf("one that makes none waits: %q", why)
		}
	})
}

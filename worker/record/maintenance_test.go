package record

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func maintenanceOf(t queue.Task) queue.MaintenanceTask {
	return queue.MaintenanceTask{Kind: queue.Audit, StoreID: t.StoreID, Generation: t.Generation, Cluster: t.Cluster}
}

func (b *bench) tryMaintain(t queue.Task, token string) (AcquireResult, Run) {
	b.Helper()
	result, run, err := b.records.Runs.AcquireMaintenance(b.ctx, maintenanceOf(t), token, leaseTTL)
	return must(b, result, err), run
}

func (b *bench) maintain(t queue.Task, token string) Run {
	b.Helper()
	result, run := b.tryMaintain(t, token)
	if result != Acquired {
		b.Fatalf("maintaining %s: %s", t.ID(), result)
	}
	return run
}

// audit records what an audit of a store has found.
func (b *bench) audit(t queue.Task, found provision.Finding) {
	b.Helper()
	run := b.maintain(t, "audit")
	if recorded, err := b.records.Runs.RecordAudit(b.ctx, run, found); err != nil || !recorded {
		b.Fatal(recorded, err)
	}
	b.release(run, RunEnd{})
}

// madeReady is a store whose provision has ended well.
func (b *bench) madeReady(req provision.Request) queue.Task {
	b.Helper()
	task := b.accept(req)
	b.end(task, provision.StatusReady)
	return task
}

func (b *bench) found(kind provision.FindingKind) (ids []string) {
	b.Helper()
	page, err := b.records.Fleet.Findings(b.ctx, kind, "", 10)
	for _, s := range must(b, page, err).Stores {
		ids = append(ids, s.StoreID)
	}
	return ids
}

// TestMaintenanceLeavesNoTrace: a run of the store has the attempts, crashes and deadline that it would have without it.
func TestMaintenanceLeavesNoTrace(t *testing.T) {
	each(t, func(b *bench) {
		task := b.madeReady(request("a"))
		b.deliver("a")
		before := b.redis.HGetAll(b.ctx, keyStore("a")).Val()
		b.release(b.maintain(task, "audit"), RunEnd{})
		b.maintain(task, "one that dies")
		if after := b.redis.HGetAll(b.ctx, keyStore("a")).Val(); fmt.Sprint(after) != fmt.Sprint(before) {
			b.Errorf("the record was %v, and is %v", before, after)
		}
		next := b.accept(titled(request("a"), "x"))
		b.wantAcquire(next, AcquireHeld)
		b.redis.Del(b.ctx, keyRunLease("a"))
		if run := b.acquire(next, "run"); run.Crashes != 0 || run.Attempts != 0 {
			b.Errorf("the run after it has %d crashes and %d attempts", run.Crashes, run.Attempts)
		}
	})
}

// TestMaintenanceMakesWay: for each request, at the next renewal, and it records nothing after that.
func TestMaintenanceMakesWay(t *testing.T) {
	for name, change := range map[string]func(b *bench){
		"another title": func(b *bench) { b.accept(titled(request("a"), "x")) },
		"a delete":      func(b *bench) { b.accept(deletion("a")) },
		"a retry":       func(b *bench) { b.repeat("a") },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				run := b.maintain(b.madeReady(request("a")), "audit")
				if got, err := b.records.Runs.Renew(b.ctx, run, leaseTTL); err != nil || got != Renewed {
					b.Fatal(got, err)
				}
				change(b)
				if got, err := b.records.Runs.Renew(b.ctx, run, leaseTTL); err != nil || got != RenewSuperseded {
					b.Errorf("renewal: %s, %v", got, err)
				}
				recorded, err := b.records.Runs.RecordAudit(b.ctx, run, provision.Finding{Outdated: true})
				if err != nil || recorded || len(b.found(provision.FindingOutdated)) != 0 {
					b.Errorf("recorded: %t, %v", recorded, err)
				}
			})
		})
	}
}

// TestMaintenanceOnlyOfWhatIsDone: not of a store that waits for a run, has failed or is gone, and not beside a run.
func TestMaintenanceOnlyOfWhatIsDone(t *testing.T) {
	each(t, func(b *bench) {
		want := func(task queue.Task, want AcquireResult) {
			b.Helper()
			if got, _ := b.tryMaintain(task, "audit"); got != want {
				b.Errorf("maintaining %s: %s, want %s", task.StoreID, got, want)
			}
		}
		waits := b.accept(request("waits"))
		want(waits, AcquireSuperseded)
		failed := b.accept(request("failed"))
		b.end(failed, provision.StatusFailed)
		want(failed, AcquireSuperseded)
		gone := b.madeReady(request("gone"))
		b.end(b.accept(deletion("gone")), provision.StatusDeleted)
		want(gone, AcquireSuperseded)
		want(queue.Task{StoreID: "unknown", Generation: 1, Cluster: "default"}, AcquireSuperseded)
		ready := b.madeReady(request("ready"))
		older := ready
		older.Generation--
		want(older, AcquireSuperseded)
		other := ready
		other.Cluster = "us"
		want(other, AcquireOtherCluster)
		want(ready, Acquired)
		if got, _ := b.tryMaintain(ready, "another"); got != AcquireHeld {
			b.Errorf("beside other maintenance: %s", got)
		}
		suspended := b.madeReady(request("suspended"))
		accepted, _, err := b.records.Repeats.Suspend(b.ctx, "suspended", 0, "", generationTimeout)
		if err != nil {
			b.Fatal(err)
		}
		suspended.Generation = accepted.Generation
		b.end(suspended, provision.StatusSuspended)
		if run := b.maintain(suspended, "audit"); !run.Store.Suspended || run.Store.Request != request("suspended") {
			b.Errorf("maintains %+v", run.Store)
		}
	})
}

// TestFindingsAreListedUntilTheyAreMended.
func TestFindingsAreListedUntilTheyAreMended(t *testing.T) {
	each(t, func(b *bench) {
		drift := []provision.Difference{{Object: "deployment a", Fields: []string{"spec.replicas"}, Manager: "kubectl"}}
		task := b.madeReady(request("a"))
		b.audit(task, provision.Finding{Edition: "e1", Outdated: true, Drift: drift})
		s := b.state("a")
		if s.Edition != "e1" || !s.Outdated || len(s.Drift) != 1 || s.Drift[0].Fields[0] != "spec.replicas" || time.Since(s.AuditedAt) > time.Minute {
			b.Errorf("state: %+v", s)
		}
		if !slices.Equal(b.found(provision.FindingDrifted), []string{"a"}) || !slices.Equal(b.found(provision.FindingOutdated), []string{"a"}) {
			b.Error("it is not listed")
		}
		b.audit(task, provision.Finding{Edition: "e1", Outdated: true})
		if len(b.found(provision.FindingDrifted)) != 0 || len(b.found(provision.FindingOutdated)) != 1 {
			b.Error("after an audit that found no drift")
		}
		b.audit(task, provision.Finding{Drift: make([]provision.Difference, 50)})
		if n := len(b.state("a").Drift); n != maxDrift {
			b.Errorf("%d differences are kept", n)
		}
		next := b.accept(titled(request("a"), "x"))
		run := b.acquire(next, "run")
		run.Edition, run.Outdated = "e2", true
		b.wantOutcome(run, provision.StatusReady, OutcomeRecorded, 0)
		b.release(run, RunEnd{Ended: true})
		if s := b.state("a"); s.Edition != "e2" || !s.Outdated || len(s.Drift) != 0 || len(b.found(provision.FindingDrifted)) != 0 {
			b.Errorf("after a run: %+v", s)
		}
		counts, err := b.records.Fleet.CountFindings(b.ctx)
		if err != nil || counts[provision.FindingOutdated] != 1 || counts[provision.FindingDrifted] != 0 {
			b.Errorf("counted %v, %v", counts, err)
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		if len(b.found(provision.FindingOutdated)) != 0 {
			b.Error("a deleted store is listed")
		}
	})
}

// TestAPassComesToEachStoreOnce: in any steps, and again only after its period.
func TestAPassComesToEachStoreOnce(t *testing.T) {
	each(t, func(b *bench) {
		want := []string{}
		for i := range 23 {
			id := fmt.Sprintf("s%02d", i)
			if i%5 == 0 {
				b.accept(request(id)) // has no outcome
				continue
			}
			b.madeReady(request(id))
			if i%5 == 1 {
				continue // what a run has just made is as it made it
			}
			b.redis.HIncrBy(b.ctx, keyStore(id), "decided_at", -time.Hour.Milliseconds()/24)
			want = append(want, id)
		}
		pass := func(every time.Duration) (ids []string) {
			for range 10 {
				tasks, err := b.records.Fleet.NextAudits(b.ctx, every, 4)
				for _, task := range must(b, tasks, err) {
					ids = append(ids, task.StoreID)
					if result, run := b.tryMaintain(queue.Task{StoreID: task.StoreID, Generation: task.Generation, Cluster: task.Cluster}, "audit"); result != Acquired {
						b.Errorf("%s may not be audited: %s", task.ID(), result)
					} else {
						b.release(run, RunEnd{})
					}
				}
			}
			return ids
		}
		if got := pass(time.Hour); !slices.Equal(got, want) {
			b.Errorf("the pass came to %v, want %v", got, want)
		}
		if got := pass(time.Hour); len(got) != 0 {
			b.Errorf("within the period it came to %v", got)
		}
		b.redis.HIncrBy(b.ctx, keyAuditPass, "began", -time.Hour.Milliseconds())
		if got := pass(time.Hour); !slices.Equal(got, want) {
			b.Errorf("after the period it came to %v", got)
		}
	})
}

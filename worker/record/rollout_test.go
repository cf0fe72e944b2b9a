package record

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func (b *bench) startRollout(p provision.RolloutPlan) {
	b.Helper()
	p.Engine = "woocommerce"
	if p.Parallel == 0 {
		p.Parallel = 10
	}
	if err := b.records.Rollouts.StartRollout(b.ctx, p); err != nil {
		b.Fatal(err)
	}
	for b.rollout().State == provision.RolloutGathering {
		b.step()
	}
}

func (b *bench) step() []queue.MaintenanceTask {
	b.Helper()
	tasks, err := b.records.Rollouts.Step(b.ctx)
	return must(b, tasks, err)
}

func (b *bench) rollout() provision.Rollout {
	b.Helper()
	o, ok, err := b.records.Rollouts.Rollout(b.ctx)
	if !ok {
		b.Fatal("there is no rollout")
	}
	return must(b, o, err)
}

// upgrade does what a worker does with a task. It reports whether the rollout permits it.
func (b *bench) upgrade(task queue.MaintenanceTask, edition string, result provision.UpgradeResult) bool {
	b.Helper()
	got, run, err := b.records.Runs.AcquireMaintenance(b.ctx, task, "upgrade-"+task.ID(), leaseTTL)
	if must(b, got, err) != Acquired {
		return false
	}
	defer b.release(run, RunEnd{})
	why, _, err := b.records.Rollouts.BeginUpgrade(b.ctx, run, edition, 0)
	if must(b, why, err) != "" {
		return false
	}
	u := provision.Upgraded{Result: result, Edition: edition}
	if result != provision.UpgradeDone {
		u.Error, u.Outdated = "it does not start", true
	}
	recorded, err := b.records.Rollouts.EndUpgrade(b.ctx, run, u)
	return must(b, recorded, err)
}

func (b *bench) fleet(n int) {
	b.Helper()
	for i := range n {
		b.madeReady(request(fmt.Sprintf("s%03d", i)))
	}
}

// soaked ends the time between two waves.
func (b *bench) soaked() { b.redis.HSet(b.ctx, keyRollout, "soak_until", 1) }

// TestARolloutGoesInWaves: of exactly the sizes asked for, never more at a time than allowed, each store once, and it waits between them.
func TestARolloutGoesInWaves(t *testing.T) {
	each(t, func(b *bench) {
		b.fleet(40)
		other := request("medusa")
		other.Engine = "medusa"
		b.madeReady(other)
		b.startRollout(provision.RolloutPlan{Waves: []string{"1", "10%", "50%"}, Canaries: []string{"s007"}, Parallel: 3, SoakSeconds: 60})
		seen, waves, finished := map[string]int{}, []int64{}, int64(0)
		for range 200 {
			tasks := b.step()
			if o := b.rollout(); o.State == provision.RolloutDone {
				break
			} else if !o.SoakUntil.IsZero() {
				if len(tasks) != 0 {
					b.Fatalf("it goes on while it waits: %v", tasks)
				}
				waves = append(waves, finished)
				b.soaked()
				continue
			}
			if len(tasks) > 3 {
				b.Fatalf("%d stores at a time", len(tasks))
			}
			if len(seen) == 0 && len(tasks) > 0 && tasks[0].StoreID != "s007" {
				b.Errorf("the first one is %s", tasks[0].StoreID)
			}
			for _, task := range tasks {
				if seen[task.StoreID]++; !b.upgrade(task, "e2", provision.UpgradeDone) {
					b.Fatalf("%s is not upgraded", task.ID())
				}
				finished++
			}
		}
		o := b.rollout()
		if fmt.Sprint(waves) != "[1 4 20]" || o.State != provision.RolloutDone || o.Done != 40 || o.Total != 40 || o.Todo+o.Doing+o.Failed+o.Skipped != 0 || o.Editions["default"] != "e2" || o.EndedAt.IsZero() {
			b.Errorf("waves %v, %+v", waves, o)
		}
		for id, n := range seen {
			if n != 1 || b.state(id).Edition != "e2" {
				b.Errorf("%s came %d times, and has edition %q", id, n, b.state(id).Edition)
			}
		}
	})
}

// TestARolloutPausesWhenStoresFail: it begins no other store after that, goes on when it is resumed, and pauses only for new failures then.
func TestARolloutPausesWhenStoresFail(t *testing.T) {
	each(t, func(b *bench) {
		b.fleet(30)
		b.startRollout(provision.RolloutPlan{Waves: []string{"100%"}, Parallel: 4, MaxFailures: 2})
		touched := 0
		for range 10 {
			for _, task := range b.step() {
				if b.upgrade(task, "e2", provision.UpgradeFailed) {
					touched++
				}
			}
		}
		o := b.rollout()
		if o.State != provision.RolloutPaused || !strings.Contains(o.Reason, "more than 2") || touched > 2+4 || o.Failed != int64(touched) || len(o.Errors) != touched {
			b.Fatalf("after %d stores: %+v", touched, o)
		}
		if tasks := b.step(); len(tasks) != 0 {
			b.Errorf("it goes on with %v", tasks)
		}
		if err := b.records.Rollouts.StartRollout(b.ctx, provision.RolloutPlan{Engine: "medusa"}); provision.CodeOf(err) != provision.CodeConflict {
			b.Errorf("a second rollout: %v", err)
		}
		if found, err := b.records.Rollouts.ChangeRollout(b.ctx, provision.RolloutResume); !found || err != nil {
			b.Fatal(found, err)
		}
		for range 50 {
			for _, task := range b.step() {
				b.upgrade(task, "e2", provision.UpgradeDone)
			}
			b.soaked()
		}
		if o = b.rollout(); o.State != provision.RolloutDone || o.Done+o.Failed != 30 {
			b.Errorf("resumed: %+v", o)
		}
		if _, err := b.records.Rollouts.ChangeRollout(b.ctx, provision.RolloutPause); provision.CodeOf(err) != provision.CodeConflict {
			b.Errorf("a pause of one that is done: %v", err)
		}
		b.startRollout(provision.RolloutPlan{Waves: []string{"1"}})
		if _, err := b.records.Rollouts.ChangeRollout(b.ctx, provision.RolloutAbort); err != nil || b.rollout().State != provision.RolloutAborted || len(b.step()) != 0 {
			b.Errorf("aborted: %v, %+v", err, b.rollout())
		}
	})
}

// TestARolloutComesAfterCustomers: a store with a request of its own waits for it, and one that is suspended, failed or gone is left out.
func TestARolloutComesAfterCustomers(t *testing.T) {
	each(t, func(b *bench) {
		b.fleet(3)
		b.end(b.accept(request("failed")), provision.StatusFailed)
		suspended := b.madeReady(request("suspended"))
		accepted, _, err := b.records.Repeats.Suspend(b.ctx, "suspended", 0, "", generationTimeout)
		if err != nil {
			b.Fatal(err)
		}
		suspended.Generation = accepted.Generation
		b.end(suspended, provision.StatusSuspended)
		b.madeReady(request("busy"))
		busy := b.accept(titled(request("busy"), "x"))
		b.startRollout(provision.RolloutPlan{Waves: []string{"100%"}})
		tasks := b.step()
		if len(tasks) != 3 {
			b.Fatalf("it begins with %v", tasks)
		}
		overtaken := tasks[0].StoreID
		b.accept(titled(request(overtaken), "y"))
		for _, task := range tasks {
			if did := b.upgrade(task, "e2", provision.UpgradeDone); did == (task.StoreID == overtaken) {
				b.Errorf("%s, overtaken %t: upgraded %t", task.StoreID, task.StoreID == overtaken, did)
			}
		}
		for _, task := range b.step() {
			b.Errorf("it comes to %s, which has a request of its own", task.StoreID)
		}
		if o := b.rollout(); o.Skipped != 2 || o.Done != 2 || o.Todo != 2 {
			b.Errorf("%+v", o)
		}
		b.end(busy, provision.StatusReady)
		b.end(queue.Task{Op: provision.OpProvision, StoreID: overtaken, Generation: b.state(overtaken).Generation, Cluster: "default"}, provision.StatusReady)
		for _, task := range b.step() {
			b.upgrade(task, "e2", provision.UpgradeDone)
		}
		b.step()
		if o := b.rollout(); o.State != provision.RolloutDone || o.Done != 4 {
			b.Errorf("in the end: %+v", o)
		}
	})
}

// TestARolloutSurvivesCrashes: a task that was lost comes again, one that ended twice counts once, and a worker of another edition touches nothing.
func TestARolloutSurvivesCrashes(t *testing.T) {
	each(t, func(b *bench) {
		b.fleet(2)
		b.startRollout(provision.RolloutPlan{Waves: []string{"1"}, Parallel: 1})
		first := b.step()
		if again := b.step(); len(first) != 1 || len(again) != 1 || first[0] != again[0] {
			b.Fatalf("first %v, then %v", first, again)
		}
		if !b.upgrade(first[0], "e2", provision.UpgradeDone) || b.upgrade(first[0], "e2", provision.UpgradeDone) {
			b.Error("the same store is upgraded twice")
		}
		b.step()
		b.soaked()
		b.step()
		second := b.step()
		if len(second) != 1 || b.upgrade(second[0], "e3", provision.UpgradeDone) {
			b.Fatalf("a worker of another edition upgrades %v", second)
		}
		if b.upgrade(second[0], "e2", provision.UpgradeRefused); b.rollout().State != provision.RolloutPaused || b.rollout().Todo != 1 || b.rollout().Failed != 0 {
			b.Errorf("refused: %+v", b.rollout())
		}
	})
}

// TestUnwellStoresAreListedAndPauseTheirRollout.
func TestUnwellStoresAreListedAndPauseTheirRollout(t *testing.T) {
	each(t, func(b *bench) {
		b.fleet(2)
		b.accept(request("new"))
		note := func(why map[string]string, want int) {
			b.Helper()
			if n, err := b.records.Fleet.NoteUnwell(b.ctx, "default", why); err != nil || n != want {
				b.Errorf("noted %d, %v", n, err)
			}
		}
		note(map[string]string{"store-s000": "0 of 1 pods available", "store-new": "starts", "store-unknown": "x"}, 0)
		if got := b.found(provision.FindingUnwell); len(got) != 1 || got[0] != "s000" || b.state("s000").Unwell != "0 of 1 pods available" {
			b.Fatalf("unwell: %v", got)
		}
		note(nil, 0)
		if got := b.found(provision.FindingUnwell); len(got) != 0 || b.state("s000").Unwell != "" {
			b.Errorf("well again: %v", got)
		}
		b.startRollout(provision.RolloutPlan{Waves: []string{"1"}, Parallel: 1, SoakSeconds: 3600})
		task := b.step()[0]
		b.upgrade(task, "e2", provision.UpgradeDone)
		b.step()
		note(map[string]string{"store-" + task.StoreID: "0 of 1 pods available"}, 1)
		if o := b.rollout(); o.State != provision.RolloutPaused || !strings.Contains(o.Reason, task.StoreID) || o.Failed != 1 || o.Done != 0 {
			b.Errorf("%+v", o)
		}
		note(map[string]string{"store-" + task.StoreID: "0 of 1 pods available"}, 0)
		if time.Since(b.rollout().StartedAt) > time.Minute {
			b.Error("it began at ", b.rollout().StartedAt)
		}
	})
}

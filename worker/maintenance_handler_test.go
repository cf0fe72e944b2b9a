package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

type maintainerFunc func(ctx context.Context, s provision.Store, repair bool) (provision.Finding, error)

func (f maintainerFunc) Audit(ctx context.Context, s provision.Store, repair bool) (provision.Finding, error) {
	return f(ctx, s, repair)
}

// Upgrade backs the store up first, unless the turn says otherwise.
func (f maintainerFunc) Upgrade(ctx context.Context, s provision.Store, turn provision.UpgradeTurn) (provision.Upgraded, error) {
	terms, err := turn.Begin(ctx, "e2", true)
	if err != nil {
		return provision.Upgraded{}, err
	}
	found, err := f(ctx, s, true)
	if err == nil && terms.Backup == nil && !terms.WithoutBackup {
		err = turn.BackedUp(ctx, provision.Backup{Run: "first"})
	}
	return provision.Upgraded{Result: provision.UpgradeDone, Edition: found.Edition}, err
}

func (f maintainerFunc) Backup(ctx context.Context, s provision.Store) (provision.Backup, error) {
	found, err := f(ctx, s, false)
	return provision.Backup{Run: found.Edition}, err
}

func (f maintainerFunc) TestRestore(ctx context.Context, s provision.Store, b provision.Backup) (provision.RestoreTest, error) {
	_, err := f(ctx, s, false)
	return provision.RestoreTest{Run: b.Run}, err
}

// maintenanceRig is a handler on records in memory.
type maintenanceRig struct {
	*maintenanceHandler
	*records
	result  record.AcquireResult
	err     error
	audited []provision.Finding
	why     string // an upgrade is not to begin
	terms   provision.UpgradeTerms
	asked   int   // how many backups run at a time, as an upgrade began
	keeps   error // the backup before an upgrade is not on record
	lost    bool  // nor is the lease
	first   []string
	ended   []provision.Upgraded
	backups []record.BackupEnd
	newest  *provision.Backup
	tokens  []string // with which backups ended
	stop    context.CancelFunc
}

func (r *maintenanceRig) AcquireMaintenance(_ context.Context, task queue.MaintenanceTask, token string, _ time.Duration) (record.AcquireResult, record.Run, error) {
	run := aRun(token)
	run.Store.StoreID, run.Store.Generation, run.Backup = task.StoreID, task.Generation, r.newest
	return r.result, run, r.err
}

func (r *maintenanceRig) RecordAudit(_ context.Context, _ record.Run, found provision.Finding) (bool, error) {
	r.audited = append(r.audited, found)
	return true, nil
}

func (r *maintenanceRig) BeginUpgrade(_ context.Context, _ record.Run, _ string, backupsAtOnce int) (string, provision.UpgradeTerms, error) {
	r.asked = backupsAtOnce
	return r.why, r.terms, nil
}

func (r *maintenanceRig) EndUpgradeBackup(_ context.Context, _ record.Run, made *provision.Backup) (bool, error) {
	run := "none"
	if made != nil {
		run = made.Run
	}
	r.first = append(r.first, run)
	return made != nil && !r.lost, r.keeps
}

func (r *maintenanceRig) EndUpgrade(_ context.Context, _ record.Run, u provision.Upgraded) (bool, error) {
	r.ended = append(r.ended, u)
	return true, nil
}

func (r *maintenanceRig) Next(context.Context, record.BackupPolicy) ([]queue.MaintenanceTask, error) {
	return nil, nil
}

func (r *maintenanceRig) End(_ context.Context, t queue.MaintenanceTask, token string, end record.BackupEnd) (bool, error) {
	r.backups, r.tokens = append(r.backups, end), append(r.tokens, token)
	return t.StoreID == "s", nil
}

func newMaintenanceRig(maintainer maintainerFunc) *maintenanceRig {
	r := &maintenanceRig{records: &records{renew: always(record.Renewed)}, result: record.Acquired}
	stopped, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.maintenanceHandler = &maintenanceHandler{cluster: provision.DefaultCluster, leases: newLeaseManager(r.records, false, quiet()), records: r, maintainer: maintainer, upgrades: r, backups: r, retry: time.Hour, retryTest: 6 * time.Hour, atOnce: 3, limits: DefaultLimits(), pace: AuditPolicy{Rate: 1}.pace(),
		repair: true, metrics: newMetrics(prometheus.NewRegistry()), log: quiet(), stop: stopped}
	return r
}

func (r *maintenanceRig) process(ctx context.Context) error {
	return r.ProcessTask(ctx, asynq.NewTask(queue.TypeOf(queue.QueueMaintenance), []byte(`{"kind":"audit","store_id":"s","generation":7}`)))
}

func TestMaintenanceHandlerRecordsWhatAnAuditHasFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := provision.Finding{Edition: "e", Drift: []provision.Difference{{Object: "service s", Missing: true}}}
		r := newMaintenanceRig(func(ctx context.Context, s provision.Store, repair bool) (provision.Finding, error) {
			if s.StoreID != "s" || s.Generation != 7 || !repair || provision.FenceOf(ctx).Check() != nil {
				t.Errorf("audits %+v", s)
			}
			return want, nil
		})
		if err := r.process(t.Context()); err != nil || len(r.audited) != 1 || r.audited[0].Edition != "e" || len(r.ends) != 1 || r.ends[0] != (record.RunEnd{}) {
			t.Errorf("%v, recorded %+v, ends %+v", err, r.audited, r.ends)
		}
	})
}

// TestMaintenanceHandlerLeavesWhatFails: nothing is recorded, so that no store looks well because its API server was away, and no task stays.
func TestMaintenanceHandlerLeavesWhatFails(t *testing.T) {
	for name, test := range map[string]struct {
		result record.AcquireResult
		err    error // of Redis
		audit  error
	}{
		"API server away": {result: record.Acquired, audit: provision.Errorf(provision.CodeUnavailable, "away")},
		"broken":          {result: record.Acquired, audit: errors.New("broken")},
		"held":            {result: record.AcquireHeld},
		"superseded":      {result: record.AcquireSuperseded},
		"Redis away":      {err: provision.Errorf(provision.CodeUnavailable, "away")},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			r := newMaintenanceRig(func(context.Context, provision.Store, bool) (provision.Finding, error) {
				calls++
				return provision.Finding{}, test.audit
			})
			r.result, r.err = test.result, test.err
			if err := r.process(t.Context()); err != nil || len(r.audited) != 0 || (calls == 1) != (test.result == record.Acquired) {
				t.Errorf("%s: asynq gets %v, recorded %v, %d audits", name, err, r.audited, calls)
			}
		})
	}
}

func TestMaintenanceHandlerUpgrades(t *testing.T) {
	task := asynq.NewTask(queue.TypeOf(queue.QueueMaintenance), []byte(`{"kind":"upgrade","store_id":"s","generation":7}`))
	away := provision.Errorf(provision.CodeUnavailable, "away")
	for name, test := range map[string]struct {
		why   string
		terms provision.UpgradeTerms
		err   error
		keeps error
		lost  bool
		ended int
		first string // what the backup before it has ended with
	}{
		"done":                           {ended: 1, first: "[first]"},
		"without a backup":               {terms: provision.UpgradeTerms{WithoutBackup: true}, ended: 1, first: "[]"},
		"backed up before":               {terms: provision.UpgradeTerms{Backup: &provision.Backup{Run: "before"}}, ended: 1, first: "[]"},
		"not its turn":                   {why: "the rollout is paused", first: "[]"},
		"cluster is away":                {err: away, first: "[none]"},
		"the backup is not on record":    {keeps: away, first: "[first none]"},
		"the lease was lost meanwhile":   {lost: true, first: "[first none]"},
		"failed, with a place to return": {err: errors.New("broken"), first: "[none]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newMaintenanceRig(func(ctx context.Context, _ provision.Store, _ bool) (provision.Finding, error) {
				if provision.WritesOf(ctx).Class != provision.WriteMaintenance {
					t.Error("its writes come before those of customers")
				}
				if deadline, _ := ctx.Deadline(); time.Until(deadline) <= provision.BackupTimeout || time.Until(deadline) >= queue.TaskTimeout {
					t.Errorf("it has %s", time.Until(deadline))
				}
				return provision.Finding{Edition: "e2"}, test.err
			})
			r.why, r.terms, r.keeps, r.lost = test.why, test.terms, test.keeps, test.lost
			if err := r.ProcessTask(t.Context(), task); err != nil || len(r.ended) != test.ended || len(r.ends) != 1 || len(r.audited) != 0 {
				t.Errorf("%s: %v, ended %+v", name, err, r.ended)
			}
			if got := fmt.Sprint(r.first); got != test.first || r.asked != 3 {
				t.Errorf("%s: the backup before it ended with %s, of %d at a time", name, got, r.asked)
			}
		})
	}
}

// TestUpgradeLimitIsBelowTheTasks: also with the longest readiness budget.
func TestUpgradeLimitIsBelowTheTasks(t *testing.T) {
	limits := DefaultLimits()
	limits.ReadinessTimeout = 2 * time.Hour
	if limit := (&maintenanceHandler{limits: limits}).upgradeLimit(); limit <= provision.BackupTimeout || limit+ShutdownTimeout > queue.TaskTimeout {
		t.Errorf("an upgrade may take %s", limit)
	}
}

// TestMaintenanceHandlerPacesAudits: what has queued up is not made all at once.
func TestMaintenanceHandlerPacesAudits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newMaintenanceRig(func(context.Context, provision.Store, bool) (provision.Finding, error) {
			return provision.Finding{}, nil
		})
		start := time.Now()
		for range 11 {
			if err := r.process(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("11 audits took %s", took)
		}
		go func() { time.Sleep(100 * time.Millisecond); r.stop() }()
		if err, ok := errors.AsType[*retryError](r.process(t.Context())); !ok || err.counted {
			t.Errorf("a worker that stops waits for its turn: %v", err)
		}
	})
}

// TestUnwellIsWhatIsUnwellForLong: not what starts, not what was seen by a worker that has just begun, and no longer once it is well.
func TestUnwellIsWhatIsUnwellForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var noted []map[string]string
		began := time.Now()
		u := &unwellWatch{cluster: "default", log: quiet(), records: noteFunc(func(why map[string]string) { noted = append(noted, why) })}
		u.look = func() (map[string]string, error) {
			age := time.Since(began)
			switch {
			case age < time.Minute:
				return nil, errors.New("the informers have not listed yet")
			case age < 20*time.Minute:
				return map[string]string{"long": "0 of 1", "short " + age.Round(5*time.Minute).String(): "starts"}, nil
			}
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
		defer cancel()
		u.run(ctx)
		first, last := noted[0], noted[len(noted)-1]
		middle := noted[len(noted)/2-5]
		if len(first) != 0 || len(middle) != 1 || middle["long"] == "" || len(last) != 0 {
			t.Errorf("first %v, then %v, last %v", first, middle, last)
		}
	})
}

type noteFunc func(map[string]string)

func (f noteFunc) NoteUnwell(_ context.Context, _ string, why map[string]string) (int, error) {
	f(why)
	return 0, nil
}

// TestMaintenanceHandlerMakesWay for a newer request, and for the end of the process.
func TestMaintenanceHandlerMakesWay(t *testing.T) {
	for name, end := range map[string]func(r *maintenanceRig){
		"newer request": func(r *maintenanceRig) { r.renews(always(record.RenewSuperseded)); r.leases.renewNow("s") },
		"stopping":      func(r *maintenanceRig) { r.stop() },
	} {
		synctest.Test(t, func(t *testing.T) {
			var r *maintenanceRig
			r = newMaintenanceRig(func(ctx context.Context, _ provision.Store, _ bool) (provision.Finding, error) {
				end(r)
				<-ctx.Done()
				return provision.Finding{}, context.Cause(ctx)
			})
			start := time.Now()
			if err := r.process(t.Context()); err != nil || len(r.audited) != 0 || time.Since(start) > time.Second || len(r.ends) != 1 {
				t.Errorf("%s: %v after %s, recorded %v, ends %v", name, err, time.Since(start), r.audited, r.ends)
			}
		})
	}
	r := newMaintenanceRig(nil)
	r.stop()
	if err, ok := errors.AsType[*retryError](r.process(t.Context())); !ok || err.counted {
		t.Errorf("a task that comes when the process ends: %v", err)
	}
}

// passes answers tasks, and remembers what was asked.
type passes struct {
	tasks    []queue.MaintenanceTask
	asked    []int
	enqueued []string
	pending  int
}

func (p *passes) NextAudits(_ context.Context, _ time.Duration, n int) ([]queue.MaintenanceTask, error) {
	p.asked = append(p.asked, n)
	return p.tasks, nil
}

func (p *passes) EnqueueMaintenance(_ context.Context, task queue.MaintenanceTask) error {
	p.enqueued = append(p.enqueued, task.ID())
	return nil
}

func (p *passes) Stats(context.Context, ...string) ([]queue.Stats, error) {
	return []queue.Stats{{Pending: p.pending}}, nil
}

func TestAuditorEnqueuesAtItsRate(t *testing.T) {
	for name, test := range map[string]struct {
		policy  AuditPolicy
		pending int
		leads   bool
		want    int // rounds in a minute
	}{
		"it leads":            {AuditPolicy{Every: time.Hour, Rate: 3}, 0, true, 12},
		"another leads":       {AuditPolicy{Every: time.Hour, Rate: 3}, 0, false, 0},
		"the queue is full":   {AuditPolicy{Every: time.Hour, Rate: 3}, maxQueuedAudits + 1, true, 0},
		"there are no passes": {AuditPolicy{Rate: 3}, 0, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &passes{tasks: []queue.MaintenanceTask{{Kind: queue.Audit, StoreID: "s", Generation: 7}}, pending: test.pending}
			a := &auditor{policy: test.policy, pass: p, queue: p, leads: func(context.Context) (bool, error) { return test.leads, nil }, log: quiet()}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second)
			defer cancel()
			a.run(ctx)
			<-ctx.Done()
			if len(p.asked) != test.want || len(p.enqueued) != test.want || (test.want > 0 && p.asked[0] != 15) {
				t.Errorf("%s: asked for %v, enqueued %v", name, p.asked, p.enqueued)
			}
		})
	}
}

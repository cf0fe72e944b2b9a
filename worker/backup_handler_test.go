package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

var backupTask = asynq.NewTask(queue.TypeOf(queue.QueueMaintenance), []byte(`{"kind":"backup","store_id":"s","generation":7}`))

// TestMaintenanceHandlerBacksUp: what was made or has failed is kept; what says nothing about the store is no failure. Each gives its place back.
func TestMaintenanceHandlerBacksUp(t *testing.T) {
	for name, test := range map[string]struct {
		result record.AcquireResult
		err    error
		made   string
		code   provision.Code
		text   string
	}{
		"made":            {result: record.Acquired, made: "run-1"},
		"failed":          {result: record.Acquired, err: provision.Errorf(provision.CodeCrash, "the gate is full"), code: provision.CodeCrash, text: "the gate is full"},
		"broken":          {result: record.Acquired, err: errors.New("a secret in here"), code: provision.CodeInternal, text: "an internal error"},
		"too long":        {result: record.Acquired, err: provision.Errorf(provision.CodeTimeout, "did not end"), code: provision.CodeTimeout, text: "did not end"},
		"cluster is away": {result: record.Acquired, err: provision.Errorf(provision.CodeUnavailable, "away")},
		"held":            {result: record.AcquireHeld},
		"superseded":      {result: record.AcquireSuperseded},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newMaintenanceRig(func(ctx context.Context, _ provision.Store, _ bool) (provision.Finding, error) {
				if provision.WritesOf(ctx).Class != provision.WriteMaintenance || provision.FenceOf(ctx).Check() != nil {
					t.Error("its writes come before those of customers, or are not fenced")
				}
				return provision.Finding{Edition: "run-1"}, test.err
			})
			r.result = test.result
			err := r.ProcessTask(t.Context(), backupTask)
			if err != nil || len(r.backups) != 1 || len(r.audited) != 0 || (r.tokens[0] == "") != (test.result != record.Acquired) {
				t.Fatalf("%s: %v, ended %+v with %q", name, err, r.backups, r.tokens)
			}
			end := r.backups[0]
			if (end.Made != nil) != (test.made != "") || (end.Made != nil && end.Made.Run != test.made) || end.Code != test.code || !strings.Contains(end.Error, test.text) || strings.Contains(end.Error, "secret") {
				t.Errorf("%s: ended %+v", name, end)
			}
			if end.Code != "" && end.Retry != time.Hour {
				t.Errorf("%s: tried again after %s", name, end.Retry)
			}
		})
	}
}

var restoreTestTask = asynq.NewTask(queue.TypeOf(queue.QueueMaintenance), []byte(`{"kind":"restore-test","store_id":"s","generation":7}`))

// TestMaintenanceHandlerTestsRestores: what has passed or failed is kept; what says nothing about the backup is no failure. Each gives its place back.
func TestMaintenanceHandlerTestsRestores(t *testing.T) {
	newest := &provision.Backup{Run: "run-1"}
	for name, test := range map[string]struct {
		result record.AcquireResult
		newest *provision.Backup
		err    error
		passed bool
		code   provision.Code
		calls  int
	}{
		"passed":                              {result: record.Acquired, newest: newest, passed: true, calls: 1},
		"failed":                              {result: record.Acquired, newest: newest, err: provision.Errorf(provision.CodeCrash, "it has no end"), code: provision.CodeCrash, calls: 1},
		"no room":                             {result: record.Acquired, newest: newest, err: provision.Errorf(provision.CodeUnschedulable, "no room"), code: provision.CodeUnschedulable, calls: 1},
		"the cluster is away":                 {result: record.Acquired, newest: newest, err: provision.Errorf(provision.CodeUnavailable, "away"), calls: 1},
		"a store of that id without a backup": {result: record.Acquired},
		"held":                                {result: record.AcquireHeld, newest: newest},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			r := newMaintenanceRig(func(context.Context, provision.Store, bool) (provision.Finding, error) {
				calls++
				return provision.Finding{}, test.err
			})
			r.result, r.newest = test.result, test.newest
			if err := r.ProcessTask(t.Context(), restoreTestTask); err != nil || len(r.backups) != 1 || calls != test.calls {
				t.Fatalf("%s: %v, ended %+v after %d calls", name, err, r.backups, calls)
			}
			end := r.backups[0]
			if (end.Passed != nil) != test.passed || end.Made != nil || end.Code != test.code || (test.passed && end.Passed.Run != "run-1") {
				t.Errorf("%s: ended %+v", name, end)
			}
			if end.Code != "" && (end.Retry != 6*time.Hour || end.Error == "") {
				t.Errorf("%s: %q, tried again after %s", name, end.Error, end.Retry)
			}
		})
	}
}

// TestMaintenanceHandlerEndsARestoreTestThatDoesNotEnd: a cluster that hangs holds no slot for ever.
func TestMaintenanceHandlerEndsARestoreTestThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newMaintenanceRig(func(ctx context.Context, _ provision.Store, _ bool) (provision.Finding, error) {
			<-ctx.Done()
			return provision.Finding{}, context.Cause(ctx)
		})
		r.newest = &provision.Backup{Run: "run-1"}
		start := time.Now()
		if err := r.ProcessTask(t.Context(), restoreTestTask); err != nil || len(r.backups) != 1 || r.backups[0].Code != provision.CodeTimeout {
			t.Errorf("%v, ended %+v", err, r.backups)
		}
		if took := time.Since(start); took < provision.RestoreTestTimeout || took > queue.TaskTimeout {
			t.Errorf("it took %s", took)
		}
	})
}

// TestMaintenanceHandlerEndsABackupForACustomer: at the next renewal, and it is no failure of the store's backups.
func TestMaintenanceHandlerEndsABackupForACustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *maintenanceRig
		r = newMaintenanceRig(func(ctx context.Context, _ provision.Store, _ bool) (provision.Finding, error) {
			r.renews(always(record.RenewSuperseded))
			r.leases.renewNow("s")
			<-ctx.Done()
			return provision.Finding{}, provision.Wrap(provision.CodeInternal, context.Cause(ctx), "the pod was deleted")
		})
		start := time.Now()
		if err := r.ProcessTask(t.Context(), backupTask); err != nil || time.Since(start) > time.Second || len(r.backups) != 1 || r.backups[0].Made != nil || r.backups[0].Code != "" {
			t.Errorf("%v after %s, ended %+v", err, time.Since(start), r.backups)
		}
	})
}

// TestMaintenanceHandlerEndsABackupThatDoesNotEnd: a cluster that hangs holds no slot for ever.
func TestMaintenanceHandlerEndsABackupThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newMaintenanceRig(func(ctx context.Context, _ provision.Store, _ bool) (provision.Finding, error) {
			<-ctx.Done()
			return provision.Finding{}, context.Cause(ctx)
		})
		start := time.Now()
		if err := r.ProcessTask(t.Context(), backupTask); err != nil || len(r.backups) != 1 || r.backups[0].Code != provision.CodeInternal {
			t.Errorf("%v, ended %+v", err, r.backups)
		}
		if took := time.Since(start); took < provision.BackupTimeout || took > queue.TaskTimeout {
			t.Errorf("it took %s", took)
		}
	})
}

// schedule answers tasks, and remembers what was given back.
type schedule struct {
	tasks []queue.MaintenanceTask
	asked int
	back  []string
}

func (s *schedule) Next(context.Context, record.BackupPolicy) ([]queue.MaintenanceTask, error) {
	s.asked++
	return s.tasks, nil
}

func (s *schedule) End(_ context.Context, t queue.MaintenanceTask, token string, end record.BackupEnd) (bool, error) {
	if token == "" && end == (record.BackupEnd{}) {
		s.back = append(s.back, t.StoreID)
	}
	return false, nil
}

// refusing is a queue that takes nothing.
type refusing struct{ *passes }

func (refusing) EnqueueMaintenance(context.Context, queue.MaintenanceTask) error {
	return errors.New("Redis is away")
}

func TestBackupSchedulerEnqueuesWhatIsDue(t *testing.T) {
	daily := record.BackupPolicy{Every: 24 * time.Hour, AtOnce: 2}
	for name, test := range map[string]struct {
		policy record.BackupPolicy
		leads  bool
		full   bool
		asked  int
	}{
		"it leads":             {daily, true, false, 12},
		"another leads":        {daily, false, false, 0},
		"on request only":      {record.BackupPolicy{OnRequest: true, AtOnce: 2}, true, false, 12},
		"there are no backups": {record.BackupPolicy{}, true, false, 0},
		"Redis is away":        {daily, true, true, 12},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, s := &passes{}, &schedule{tasks: []queue.MaintenanceTask{{Kind: queue.Backup, StoreID: "s", Generation: 7}}}
			b := &backupScheduler{policy: test.policy, schedule: s, queue: p, leads: func(context.Context) (bool, error) { return test.leads, nil }, log: quiet()}
			if test.full {
				b.queue = refusing{p}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second)
			defer cancel()
			b.run(ctx)
			<-ctx.Done()
			back := 0
			if test.full {
				back = test.asked
			}
			if s.asked != test.asked || len(p.enqueued) != test.asked-back || len(s.back) != back {
				t.Errorf("%s: asked %d times, enqueued %v, given back %v", name, s.asked, p.enqueued, s.back)
			}
		})
	}
}

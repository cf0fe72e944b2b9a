package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/time/rate"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// Maintainer looks after stores that are as they were asked to be: [provision.Runner].
type Maintainer interface {
	Audit(ctx context.Context, s provision.Store, repair bool) (provision.Finding, error)
	Upgrade(ctx context.Context, s provision.Store, turn provision.UpgradeTurn) (provision.Upgraded, error)
	Backup(ctx context.Context, s provision.Store) (provision.Backup, error)
	TestRestore(ctx context.Context, s provision.Store, b provision.Backup) (provision.RestoreTest, error)
}

var _ Maintainer = (*provision.Runner)(nil)

// Upgrades says which stores the rollout has come to, and keeps how their upgrades have ended: [record.Rollouts].
type Upgrades interface {
	BeginUpgrade(ctx context.Context, run record.Run, edition string, backupsAtOnce int) (why string, terms provision.UpgradeTerms, err error)
	EndUpgradeBackup(ctx context.Context, run record.Run, made *provision.Backup) (recorded bool, err error)
	EndUpgrade(ctx context.Context, run record.Run, u provision.Upgraded) (recorded bool, err error)
}

// MaintenanceLeases are the leases of stores at which nothing else is to be done: [record.Runs].
type MaintenanceLeases interface {
	AcquireMaintenance(ctx context.Context, t queue.MaintenanceTask, token string, lease time.Duration) (record.AcquireResult, record.Run, error)
	RecordAudit(ctx context.Context, run record.Run, found provision.Finding) (recorded bool, err error)
}

// maintenanceTimeout bounds one audit. It is a few dozen reads, and a repair.
const maintenanceTimeout = 5 * time.Minute

// maintenanceHandler handles the tasks of the queue maintenance of one cluster. It leaves at once for what a customer asks: the lease is lost to a
// newer request at its next renewal, within milliseconds where pub/sub works. What fails is left to the next pass.
type maintenanceHandler struct {
	cluster    string // "" is the default one
	leases     *leaseManager
	records    MaintenanceLeases
	maintainer Maintainer
	upgrades   Upgrades
	backups    BackupSchedule
	retry      time.Duration // until the next try of a backup that has failed
	retryTest  time.Duration // the same of a restore test
	atOnce     int           // backups of the installation
	repair     bool
	limits     Limits
	pace       *rate.Limiter // of audits: those that have queued up, since no worker was there, are not made all at once
	metrics    *metrics
	log        *slog.Logger
	stop       context.Context // its end stops the work
}

var _ asynq.Handler = (*maintenanceHandler)(nil)

// ProcessTask does what the task names, unless the store has something else to do now.
func (h *maintenanceHandler) ProcessTask(ctx context.Context, t *asynq.Task) error {
	task, err := queue.ParseMaintenanceTask(t, h.cluster)
	if err != nil {
		h.log.Error("a task of another program was archived", "type", t.Type(), "error", err)
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	log := h.log.With("store_id", task.StoreID, "generation", task.Generation, "task_id", task.ID(), "kind", task.Kind)
	if h.stop.Err() != nil {
		return decision{retry: true}.reply(errStopping)
	}
	if task.Kind == queue.Audit {
		if err := h.await(ctx); err != nil {
			return decision{retry: true}.reply(errStopping)
		}
	}
	result, l, err := h.leases.acquireOnce(ctx, task.StoreID, task.Generation, func(ctx context.Context, token string) (record.AcquireResult, record.Run, error) {
		return h.records.AcquireMaintenance(ctx, task, token, leaseTTL)
	})
	if err != nil || result != record.Acquired {
		log.Debug("not maintained now", "reason", result, "error", err)
		if task.Kind == queue.Backup || task.Kind == queue.RestoreTest {
			h.endBackup(ctx, task, "", record.BackupEnd{Retry: h.retryOf(task.Kind)}, log)
		}
		return nil
	}
	defer h.leases.release(l, record.RunEnd{})
	defer context.AfterFunc(h.stop, func() { l.cancel(errStopping) })()
	defer context.AfterFunc(ctx, func() { l.cancel(errLeaseLost) })()
	switch task.Kind {
	case queue.Upgrade:
		h.upgrade(l, log)
	case queue.Backup:
		h.backup(l, task, log)
	case queue.RestoreTest:
		h.testRestore(l, task, log)
	case queue.Audit:
		h.audit(l, log)
	}
	return nil
}

// await waits until the next audit may be made, or the worker stops.
func (h *maintenanceHandler) await(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.stop, cancel)()
	return h.pace.Wait(ctx)
}

// audit looks at one store and records what it has found.
func (h *maintenanceHandler) audit(l *lease, log *slog.Logger) {
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(l.ctx, maintenanceTimeout, fmt.Errorf("the audit did not end within %s", maintenanceTimeout))
	defer cancel()
	found, err := h.maintainer.Audit(maintaining(ctx, l), l.run.Store, h.repair)
	h.metrics.audited(found, err, time.Since(start))
	if err != nil {
		log.Info("a store was not audited; the next pass comes to it", "code", provision.CodeOf(err), "cause", err)
		return
	}
	logFinding(log, found)
	ctx, cancel = context.WithTimeout(context.WithoutCancel(l.ctx), redisTimeout)
	defer cancel()
	if _, err := h.records.RecordAudit(ctx, l.run, found); err != nil {
		log.Info("what an audit has found is not on record; the next pass finds it again", "error", err)
	}
}

// maintaining is the context of what is done under the lease.
func maintaining(ctx context.Context, l *lease) context.Context {
	return provision.WithWrites(provision.WithFence(ctx, l), provision.Writes{Class: provision.WriteMaintenance})
}

// backup backs one store up. What says nothing about the store, such as a newer request or a cluster that is away, is no failure of its backups.
func (h *maintenanceHandler) backup(l *lease, task queue.MaintenanceTask, log *slog.Logger) {
	start, limit := time.Now(), provision.BackupTimeout+maintenanceTimeout
	ctx, cancel := context.WithTimeoutCause(l.ctx, limit, fmt.Errorf("the backup did not end within %s", limit))
	defer cancel()
	made, err := h.maintainer.Backup(maintaining(ctx, l), l.run.Store)
	end := record.BackupEnd{Retry: h.retryOf(task.Kind)}
	if err == nil {
		end.Made = &made
		log.Info("backup ends", "run", made.Run, "orders", made.Orders, "added", made.Added, "bytes", made.Bytes, "ms", time.Since(start).Milliseconds())
	} else {
		h.notDone(l, &end, err, "a store was not backed up", log)
	}
	h.metrics.backedUp(l.run.Store, end, time.Since(start))
	h.endBackup(l.ctx, task, l.run.Token, end, log)
}

// testRestore restores the store's last good backup beside it. The store may have none any more: it was deleted and made again since.
func (h *maintenanceHandler) testRestore(l *lease, task queue.MaintenanceTask, log *slog.Logger) {
	start, limit, end := time.Now(), provision.RestoreTestTimeout, record.BackupEnd{Retry: h.retryOf(task.Kind)}
	if l.run.Backup == nil {
		h.endBackup(l.ctx, task, l.run.Token, end, log)
		return
	}
	ctx, cancel := context.WithTimeoutCause(l.ctx, limit, provision.Errorf(provision.CodeTimeout, "the restore test did not end within %s", limit))
	defer cancel()
	log = log.With("run", l.run.Backup.Run)
	passed, err := h.maintainer.TestRestore(maintaining(ctx, l), l.run.Store, *l.run.Backup)
	if err == nil {
		end.Passed = &passed
		log.Info("a restore test has passed", "backup_at", passed.BackupAt, "ms", time.Since(start).Milliseconds())
	} else {
		h.notDone(l, &end, err, "a restore test has not passed", log)
	}
	h.metrics.restoreTested(l.run.Store, end, time.Since(start))
	h.endBackup(l.ctx, task, l.run.Token, end, log)
}

// retryOf is the time until the next try of what has failed; where something else came first it is no longer than that.
func (h *maintenanceHandler) retryOf(kind queue.MaintenanceKind) time.Duration {
	if kind == queue.RestoreTest {
		return h.retryTest
	}
	return h.retry
}

// notDone says in end how a backup or a restore test has failed. What says nothing about the store is no failure of it.
func (h *maintenanceHandler) notDone(l *lease, end *record.BackupEnd, err error, what string, log *slog.Logger) {
	code := codeOrNone(err)
	if l.ctx.Err() != nil || code == provision.CodeUnavailable || code == provision.CodeBusy || code == provision.CodeSuperseded {
		log.Info(what+" now; it is tried again", "code", code, "cause", err)
		return
	}
	end.Code, end.Error = code, provision.Public(err)
	log.Error(what, "code", code, "cause", err, "retry", end.Retry)
}

// endBackup keeps how a backup or a restore test has ended, and lets the next one be handed out.
func (h *maintenanceHandler) endBackup(ctx context.Context, task queue.MaintenanceTask, token string, end record.BackupEnd, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if _, err := h.backups.End(ctx, task, token, end); err != nil {
		log.Warn("how a backup or its test has ended is not on record; it is made again a period later", "error", err)
	}
}

func logFinding(log *slog.Logger, found provision.Finding) {
	for _, d := range found.Repaired {
		log.Warn("what was changed from outside is mended", "object", d.Object, "fields", d.Fields, "missing", d.Missing, "manager", d.Manager)
	}
	for _, d := range found.Drift {
		log.Warn("an object of a store is not as its release says", "object", d.Object, "fields", d.Fields, "missing", d.Missing, "manager", d.Manager)
	}
}

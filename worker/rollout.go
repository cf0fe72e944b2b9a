package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// RolloutSteps moves the rollout on: [record.Rollouts].
type RolloutSteps interface {
	Step(ctx context.Context) ([]queue.MaintenanceTask, error)
}

// rolloutEvery is how often the rollout is moved on.
const rolloutEvery = 2 * time.Second

// rolloutStepper enqueues the upgrades of the rollout. Every worker has one; that which sweeps does it.
type rolloutStepper struct {
	rollouts RolloutSteps
	queue    MaintenanceQueue
	leads    func(context.Context) (bool, error)
	log      *slog.Logger
}

// run goes on until ctx ends.
func (r *rolloutStepper) run(ctx context.Context) {
	eachTick(ctx, rolloutEvery, r.log, "the rollout was not moved on; the next step continues", func(ctx context.Context) error {
		return alone(ctx, r.leads, redisTimeout, r.step)
	})
}

func (r *rolloutStepper) step(ctx context.Context) error {
	tasks, err := r.rollouts.Step(ctx)
	if err != nil {
		return err
	}
	return forEach(ctx, tasks, storesAtOnce, giveUpAfter, func(t queue.MaintenanceTask) error { return r.queue.EnqueueMaintenance(ctx, t) })
}

// upgradeLimit bounds the upgrade of one store: it may have to be backed up first, and to be taken back.
func (h *maintenanceHandler) upgradeLimit() time.Duration {
	return min(provision.BackupTimeout+2*h.limits.ReadinessTimeout+10*time.Minute, queue.TaskTimeout-ShutdownTimeout)
}

// upgrade brings one store to the edition of the rollout. What says nothing about the store, such as a cluster that is away, ends nothing: the rollout comes
// to the store again.
func (h *maintenanceHandler) upgrade(l *lease, log *slog.Logger) {
	start, limit := time.Now(), h.upgradeLimit()
	ctx, cancel := context.WithTimeoutCause(l.ctx, limit, fmt.Errorf("the upgrade did not end within %s", limit))
	defer cancel()
	turn := &upgradeTurn{handler: h, lease: l, log: log}
	upgraded, err := h.maintainer.Upgrade(maintaining(ctx, l), l.run.Store, turn)
	turn.end()
	h.metrics.upgraded(upgraded, err, time.Since(start))
	if err != nil {
		log.Info("a store was not upgraded; the rollout comes to it again", "code", provision.CodeOf(err), "cause", err)
		return
	}
	level := slog.LevelInfo
	if upgraded.Result != provision.UpgradeDone {
		level = slog.LevelError
	}
	log.Log(ctx, level, "upgrade ends", "result", upgraded.Result, "edition", upgraded.Edition, "cause", upgraded.Error, "ms", time.Since(start).Milliseconds())
	ctx, cancel = context.WithTimeout(context.WithoutCancel(l.ctx), redisTimeout)
	defer cancel()
	if _, err := h.upgrades.EndUpgrade(ctx, l.run, upgraded); err != nil {
		log.Info("how an upgrade has ended is not on record; the rollout comes to the store again", "error", err)
	}
}

// upgradeTurn is the turn of the store whose lease it is. It implements [provision.UpgradeTurn].
type upgradeTurn struct {
	handler *maintenanceHandler
	lease   *lease
	log     *slog.Logger
	begun   time.Time // when its backup began; zero: none is under way
}

// Begin takes a place among the backups that run, where one is to be made.
func (t *upgradeTurn) Begin(ctx context.Context, edition string, backsUp bool) (provision.UpgradeTerms, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	atOnce := 0
	if backsUp {
		atOnce = max(t.handler.atOnce, 1)
		t.begun = time.Now()
	}
	why, terms, err := t.handler.upgrades.BeginUpgrade(ctx, t.lease.run, edition, atOnce)
	if err == nil && (why != "" || terms.WithoutBackup || terms.Backup != nil) {
		t.begun = time.Time{}
	}
	if terms.Backup != nil {
		t.log.Info("the upgrade goes on with the backup that was made for it before", "run", terms.Backup.Run, "at", terms.Backup.At)
	}
	if err == nil && why != "" {
		err = provision.Errorf(provision.CodeBusy, "%s", why)
	}
	return terms, err
}

// BackedUp puts the backup on record at once: an upgrade that is interrupted from here on must not lose it.
func (t *upgradeTurn) BackedUp(ctx context.Context, made provision.Backup) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	recorded, err := t.handler.upgrades.EndUpgradeBackup(ctx, t.lease.run, &made)
	if err == nil && !recorded {
		err = errLeaseLost
	}
	if err == nil {
		t.log.Info("backup before the upgrade ends", "run", made.Run, "orders", made.Orders, "added", made.Added, "bytes", made.Bytes, "ms", time.Since(t.begun).Milliseconds())
		t.handler.metrics.backedUp(t.lease.run.Store, record.BackupEnd{Made: &made}, time.Since(t.begun))
		t.begun = time.Time{}
	}
	return err
}

// end gives the place of a backup back that was not made.
func (t *upgradeTurn) end() {
	if t.begun.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.lease.ctx), redisTimeout)
	defer cancel()
	if _, err := t.handler.upgrades.EndUpgradeBackup(ctx, t.lease.run, nil); err != nil {
		t.log.Info("a backup that was not made counts as one that runs for some hours", "error", err)
	}
}

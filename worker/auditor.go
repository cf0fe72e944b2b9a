package worker

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// AuditPolicy says how often stores are looked at, and what follows.
type AuditPolicy struct {
	Every  time.Duration // between the beginnings of two passes over all stores; 0: none
	Rate   int           // stores a second of a pass, and of each worker
	Repair bool          // what differs is mended, not only reported
}

// pace lets a worker make no more audits than the policy says.
func (p AuditPolicy) pace() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(max(p.Rate, 1)), max(p.Rate, 1))
}

// AuditPass moves a pass over all stores on: [record.Fleet].
type AuditPass interface {
	NextAudits(ctx context.Context, every time.Duration, n int) ([]queue.MaintenanceTask, error)
}

// MaintenanceQueue takes tasks of maintenance: [queue.Tasks].
type MaintenanceQueue interface {
	EnqueueMaintenance(ctx context.Context, task queue.MaintenanceTask) error
	Stats(ctx context.Context, queues ...string) ([]queue.Stats, error)
}

const (
	auditEvery = 5 * time.Second
	// maxQueuedAudits is how many tasks may wait: a pass is not to fill the queue of a cluster that does not answer, and the upgrades of a rollout are in it too.
	maxQueuedAudits = 20
)

// auditor enqueues an audit of each store once a period, evenly. Every worker has one; that which sweeps does it.
type auditor struct {
	policy AuditPolicy
	pass   AuditPass
	queue  MaintenanceQueue
	names  []string // of the queues
	leads  func(context.Context) (bool, error)
	log    *slog.Logger
}

// run goes on until ctx ends.
func (a *auditor) run(ctx context.Context) {
	if a.policy.Every == 0 {
		return
	}
	eachTick(ctx, auditEvery, a.log, "audits were not enqueued; the next round continues", func(ctx context.Context) error {
		return alone(ctx, a.leads, sweepLease, a.round)
	})
}

func (a *auditor) round(ctx context.Context) error {
	stats, err := a.queue.Stats(ctx, a.names...)
	if err != nil {
		return err
	}
	for _, s := range stats {
		if s.Pending > maxQueuedAudits {
			return nil
		}
	}
	tasks, err := a.pass.NextAudits(ctx, a.policy.Every, a.policy.Rate*int(auditEvery/time.Second))
	if err != nil {
		return err
	}
	return forEach(ctx, tasks, storesAtOnce, giveUpAfter, func(t queue.MaintenanceTask) error { return a.queue.EnqueueMaintenance(ctx, t) })
}

// BackupSchedule says which stores are to be backed up now, and of which a backup is to be tested: [record.Backups].
type BackupSchedule interface {
	Next(ctx context.Context, p record.BackupPolicy) ([]queue.MaintenanceTask, error)
	End(ctx context.Context, t queue.MaintenanceTask, token string, end record.BackupEnd) (recorded bool, err error)
}

// backupScheduler enqueues the backups or the restore tests that are due. Every worker has one of each; that which sweeps does it.
type backupScheduler struct {
	policy   record.BackupPolicy
	schedule BackupSchedule
	queue    MaintenanceQueue
	leads    func(context.Context) (bool, error)
	log      *slog.Logger
}

// run goes on until ctx ends.
func (b *backupScheduler) run(ctx context.Context) {
	if !b.policy.Any() {
		return
	}
	eachTick(ctx, auditEvery, b.log, string(b.policy.Kind)+"s were not enqueued; the next round continues", func(ctx context.Context) error {
		return alone(ctx, b.leads, sweepLease, b.round)
	})
}

func (b *backupScheduler) round(ctx context.Context) error {
	tasks, err := b.schedule.Next(ctx, b.policy)
	if err != nil {
		return err
	}
	return forEach(ctx, tasks, storesAtOnce, giveUpAfter, func(t queue.MaintenanceTask) error {
		err := b.queue.EnqueueMaintenance(ctx, t)
		if err != nil {
			_, _ = b.schedule.End(ctx, t, "", record.BackupEnd{}) // else it would count as running for hours
		}
		return err
	})
}

// maintenanceQueues are those of some clusters.
func maintenanceQueues(clusters []Cluster) (names []string) {
	for _, c := range clusters {
		names = append(names, queue.On(queue.QueueMaintenance, c.id()))
	}
	return names
}

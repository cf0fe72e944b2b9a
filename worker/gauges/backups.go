package gauges

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// BackupAges says how old the backups of stores are, and their tests: [record.Backups].
type BackupAges interface {
	Ages(ctx context.Context, kind queue.MaintenanceKind, engines []string, than time.Duration) (map[string]record.BackupAge, error)
}

// backupGauges shows how old backups are, asked at each scrape. Every worker shows the same: take the maximum, not the sum.
type backupGauges struct {
	records              BackupAges
	kind                 queue.MaintenanceKind
	engines              []string
	every                time.Duration
	log                  *slog.Logger
	oldest, stores, over *prometheus.Desc
}

// Backups shows how old the backups of the engines' stores are, which are to be made this often. Where that is 0 none are made, and nothing is shown.
func Backups(records BackupAges, engines []string, every time.Duration, log *slog.Logger) prometheus.Collector {
	return &backupGauges{records: records, kind: queue.Backup, engines: engines, every: every, log: log,
		oldest: desc("backup_age_seconds", "Age of the oldest last good backup of a store, or for how long a store is to be backed up without one"),
		stores: desc("backup_stores", "Stores that are to be backed up"),
		over:   desc("backups_overdue", "Stores whose last good backup is older than two periods")}
}

// RestoreTests shows for how long no backup of the engines' stores was tested, where that is to be done this often; 0: nothing is shown.
func RestoreTests(records BackupAges, engines []string, every time.Duration, log *slog.Logger) prometheus.Collector {
	return &backupGauges{records: records, kind: queue.RestoreTest, engines: engines, every: every, log: log,
		oldest: desc("restore_test_age_seconds", "Age of the oldest last restore test of a store that has passed, or for how long a store is to be tested without one"),
		stores: desc("restore_test_stores", "Stores whose backups are tested"),
		over:   desc("restore_tests_overdue", "Stores whose last restore test that has passed is older than one and a half periods")}
}

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("orchestrator_"+name, help+"; every worker shows the same.", []string{"engine"}, nil)
}

// tooOld is the age from which a backup or a test is overdue: two daily backups may have failed by chance, and half of a quarter is time enough to try again.
func (g *backupGauges) tooOld() time.Duration {
	if g.kind == queue.RestoreTest {
		return g.every + g.every/2
	}
	return 2 * g.every
}

// Describe implements [prometheus.Collector].
func (g *backupGauges) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.oldest, g.stores, g.over} {
		descs <- d
	}
}

// Collect implements [prometheus.Collector]. Where Redis does not answer nothing is shown.
func (g *backupGauges) Collect(metrics chan<- prometheus.Metric) {
	if g.every == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	ages, err := g.records.Ages(ctx, g.kind, g.engines, g.tooOld())
	if err != nil {
		g.log.Warn("the age of backups or their tests is not shown", "error", err)
		return
	}
	for engine, a := range ages {
		metrics <- prometheus.MustNewConstMetric(g.oldest, prometheus.GaugeValue, age(a.Oldest), engine)
		metrics <- prometheus.MustNewConstMetric(g.stores, prometheus.GaugeValue, float64(a.Stores), engine)
		metrics <- prometheus.MustNewConstMetric(g.over, prometheus.GaugeValue, float64(a.Overdue), engine)
	}
}

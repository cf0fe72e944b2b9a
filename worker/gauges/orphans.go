package gauges

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
)

// OrphanCounts says how many stores may no longer be wanted: [record.Requests].
type OrphanCounts interface {
	CountOrphans(ctx context.Context) (map[provision.OrphanKind]int64, error)
}

// orphanGauges shows how many orphans there are, asked at each scrape. Every worker shows the same: take the maximum, not the sum.
type orphanGauges struct {
	records OrphanCounts
	log     *slog.Logger
	stores  *prometheus.Desc
}

// Orphans shows how many stores may no longer be wanted.
func Orphans(records OrphanCounts, log *slog.Logger) prometheus.Collector {
	return &orphanGauges{records: records, log: log, stores: prometheus.NewDesc("orchestrator_orphans",
		"Stores that may no longer be wanted, by kind; every worker shows the same.", []string{"kind"}, nil)}
}

// Describe implements [prometheus.Collector].
func (m *orphanGauges) Describe(descs chan<- *prometheus.Desc) { descs <- m.stores }

// Collect implements [prometheus.Collector]. Where Redis does not answer it collects nothing.
func (m *orphanGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	counts, err := m.records.CountOrphans(ctx)
	if err != nil {
		m.log.Warn("the number of orphans is not shown", "error", err)
		return
	}
	for kind, n := range counts {
		metrics <- prometheus.MustNewConstMetric(m.stores, prometheus.GaugeValue, float64(n), string(kind))
	}
}

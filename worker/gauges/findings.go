package gauges

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
)

// FindingCounts says of how many stores an audit has found something: [record.Fleet].
type FindingCounts interface {
	CountFindings(ctx context.Context) (map[provision.FindingKind]int64, error)
}

// findingGauges shows what the audits have found, asked at each scrape. Every worker shows the same: take the maximum, not the sum.
type findingGauges struct {
	records FindingCounts
	log     *slog.Logger
	stores  *prometheus.Desc
}

// Findings shows of how many stores an audit has found something.
func Findings(records FindingCounts, log *slog.Logger) prometheus.Collector {
	return &findingGauges{records: records, log: log, stores: prometheus.NewDesc("orchestrator_findings",
		"Stores of which an audit has found something, by kind; every worker shows the same.", []string{"kind"}, nil)}
}

// Describe implements [prometheus.Collector].
func (m *findingGauges) Describe(descs chan<- *prometheus.Desc) { descs <- m.stores }

// Collect implements [prometheus.Collector]. Where Redis does not answer it collects nothing.
func (m *findingGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	counts, err := m.records.CountFindings(ctx)
	if err != nil {
		m.log.Warn("what the audits have found is not shown", "error", err)
		return
	}
	for kind, n := range counts {
		metrics <- prometheus.MustNewConstMetric(m.stores, prometheus.GaugeValue, float64(n), string(kind))
	}
}

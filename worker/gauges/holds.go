package gauges

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
)

// ShownHolds says which stores wait for one cause to end: [record.Fleet].
type ShownHolds interface {
	Holds(ctx context.Context) ([]provision.Hold, error)
}

// holdGauges shows how many stores each hold keeps waiting, asked at each scrape. Every worker shows the same: take the maximum, not the sum.
type holdGauges struct {
	records ShownHolds
	log     *slog.Logger
	stores  *prometheus.Desc
}

// Holds shows how many stores wait for one cause to end.
func Holds(records ShownHolds, log *slog.Logger) prometheus.Collector {
	return &holdGauges{records: records, log: log, stores: prometheus.NewDesc("orchestrator_stores_on_hold",
		"Stores that wait since others have failed for one cause, by engine, code and cluster; every worker shows the same.", []string{"engine", "code", "cluster"}, nil)}
}

// Describe implements [prometheus.Collector].
func (m *holdGauges) Describe(descs chan<- *prometheus.Desc) { descs <- m.stores }

// Collect implements [prometheus.Collector]. Where Redis does not answer it collects nothing.
func (m *holdGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	holds, err := m.records.Holds(ctx)
	if err != nil {
		m.log.Warn("the stores on hold are not shown", "error", err)
		return
	}
	for _, h := range holds {
		metrics <- prometheus.MustNewConstMetric(m.stores, prometheus.GaugeValue, float64(h.Stores), h.Engine, string(h.Code), h.Cluster)
	}
}

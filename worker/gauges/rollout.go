package gauges

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
)

// ShownRollout is the newest rollout: [record.Rollouts].
type ShownRollout interface {
	Rollout(ctx context.Context) (o provision.Rollout, found bool, err error)
}

// rolloutGauge shows whether the rollout waits for an operator, asked at each scrape. Every worker shows the same: take the maximum, not the sum.
type rolloutGauge struct {
	records ShownRollout
	log     *slog.Logger
	paused  *prometheus.Desc
}

// Rollout shows whether the rollout waits for an operator.
func Rollout(records ShownRollout, log *slog.Logger) prometheus.Collector {
	return &rolloutGauge{records: records, log: log, paused: prometheus.NewDesc("orchestrator_rollout_paused",
		"1 while the rollout of an engine is paused; every worker shows the same.", []string{"engine"}, nil)}
}

// Describe implements [prometheus.Collector].
func (m *rolloutGauge) Describe(descs chan<- *prometheus.Desc) { descs <- m.paused }

// Collect implements [prometheus.Collector]. Where Redis does not answer it collects nothing.
func (m *rolloutGauge) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	o, found, err := m.records.Rollout(ctx)
	if err != nil {
		m.log.Warn("the state of the rollout is not shown", "error", err)
	}
	if err != nil || !found {
		return
	}
	paused := 0.0
	if o.State == provision.RolloutPaused {
		paused = 1
	}
	metrics <- prometheus.MustNewConstMetric(m.paused, prometheus.GaugeValue, paused, o.Engine)
}

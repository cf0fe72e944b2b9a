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

// rolloutGauges shows the newest rollout, asked at each scrape. Every worker shows the same: take the maximum, not the sum.
type rolloutGauges struct {
	records        ShownRollout
	log            *slog.Logger
	paused, stores *prometheus.Desc
}

// Rollout shows how far the newest rollout is, and whether it waits for an operator.
func Rollout(records ShownRollout, log *slog.Logger) prometheus.Collector {
	return &rolloutGauges{records: records, log: log,
		paused: prometheus.NewDesc("orchestrator_rollout_paused", "1 while the rollout of an engine is paused; every worker shows the same.", []string{"engine"}, nil),
		stores: prometheus.NewDesc("orchestrator_rollout_stores", "Stores of the newest rollout by state: todo, doing, done, failed or skipped; every worker shows the same.", []string{"engine", "state"}, nil)}
}

// Describe implements [prometheus.Collector].
func (g *rolloutGauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- g.paused
	descs <- g.stores
}

// Collect implements [prometheus.Collector]. Without a rollout it collects nothing.
func (g *rolloutGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	o, found, err := g.records.Rollout(ctx)
	if err != nil {
		g.log.Warn("the state of the rollout is not shown", "error", err)
	}
	if err != nil || !found {
		return
	}
	metrics <- prometheus.MustNewConstMetric(g.paused, prometheus.GaugeValue, oneIf(o.State == provision.RolloutPaused), o.Engine)
	for state, n := range map[string]int64{"todo": o.Todo, "doing": o.Doing, "done": o.Done, "failed": o.Failed, "skipped": o.Skipped} {
		metrics <- prometheus.MustNewConstMetric(g.stores, prometheus.GaugeValue, float64(n), o.Engine, state)
	}
}

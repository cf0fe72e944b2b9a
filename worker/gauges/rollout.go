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

// Rollout shows whether the rollout waits for an operator.
func Rollout(records ShownRollout, log *slog.Logger) prometheus.Collector {
	read := func(ctx context.Context) ([]sample, error) {
		o, found, err := records.Rollout(ctx)
		if err != nil || !found {
			return nil, err
		}
		paused := 0.0
		if o.State == provision.RolloutPaused {
			paused = 1
		}
		return []sample{{paused, []string{o.Engine}}}, nil
	}
	return gauge{log: log, unshown: "the state of the rollout is not shown", read: read, desc: prometheus.NewDesc("orchestrator_rollout_paused",
		"1 while the rollout of an engine is paused; every worker shows the same.", []string{"engine"}, nil)}
}

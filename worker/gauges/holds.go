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

// Holds shows how many stores wait for one cause to end.
func Holds(records ShownHolds, log *slog.Logger) prometheus.Collector {
	read := func(ctx context.Context) (samples []sample, err error) {
		holds, err := records.Holds(ctx)
		for _, h := range holds {
			samples = append(samples, sample{float64(h.Stores), []string{h.Engine, string(h.Code), h.Cluster}})
		}
		return samples, err
	}
	return gauge{log: log, unshown: "the stores on hold are not shown", read: read, desc: prometheus.NewDesc("orchestrator_stores_on_hold",
		"Stores that wait since others have failed for one cause, by engine, code and cluster; every worker shows the same.", []string{"engine", "code", "cluster"}, nil)}
}

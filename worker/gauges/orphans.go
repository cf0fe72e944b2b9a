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

// Orphans shows how many stores may no longer be wanted.
func Orphans(records OrphanCounts, log *slog.Logger) prometheus.Collector {
	return gauge{log: log, unshown: "the number of orphans is not shown", read: byKind(records.CountOrphans), desc: prometheus.NewDesc("orchestrator_orphans",
		"Stores that may no longer be wanted, by kind; every worker shows the same.", []string{"kind"}, nil)}
}

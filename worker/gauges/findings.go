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

// Findings shows of how many stores an audit has found something.
func Findings(records FindingCounts, log *slog.Logger) prometheus.Collector {
	return gauge{log: log, unshown: "what the audits have found is not shown", read: byKind(records.CountFindings), desc: prometheus.NewDesc("orchestrator_findings",
		"Stores of which an audit has found something, by kind; every worker shows the same.", []string{"kind"}, nil)}
}

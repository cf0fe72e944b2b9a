// Package gauges shows at each scrape what Redis holds: queues, orphans, and what waits.
package gauges

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker/queue"
)

// scrapeTimeout bounds one look at the queues: a scrape does not wait for a Redis that is away.
const scrapeTimeout = 2 * time.Second

// QueueStats shows what the queues hold: [queue.Tasks].
type QueueStats interface {
	Queues(ctx context.Context) ([]string, error)
	Stats(ctx context.Context, queues ...string) ([]queue.Stats, error)
}

// queueGauges shows what the queues hold, asked at each scrape. Every worker shows the same: take the maximum, not the sum.
type queueGauges struct {
	queues QueueStats
	log    *slog.Logger
	tasks  *prometheus.Desc
	age    *prometheus.Desc
	paused *prometheus.Desc
}

// Queues shows what the queues hold.
func Queues(queues QueueStats, log *slog.Logger) prometheus.Collector {
	return &queueGauges{queues: queues, log: log,
		tasks:  prometheus.NewDesc("orchestrator_queue_tasks", "Tasks in a queue by state; every worker shows the same.", []string{"queue", "state"}, nil),
		age:    prometheus.NewDesc("orchestrator_queue_age_seconds", "Age of a queue's oldest pending task; every worker shows the same.", []string{"queue"}, nil),
		paused: prometheus.NewDesc("orchestrator_queue_paused", "1 while an operator has paused a queue; every worker shows the same.", []string{"queue"}, nil)}
}

// Describe implements [prometheus.Collector].
func (m *queueGauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- m.tasks
	descs <- m.age
	descs <- m.paused
}

// Collect implements [prometheus.Collector]. Where Redis does not answer it collects nothing, and the other metrics are
// still scraped.
func (m *queueGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	all, err := m.stats(ctx)
	if err != nil {
		m.log.Warn("the queues' statistics are not shown", "error", err)
		return
	}
	for _, s := range all {
		age := time.Duration(0)
		if !s.OldestPending.IsZero() {
			age = time.Since(s.OldestPending)
		}
		metrics <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, age.Seconds(), s.Queue)
		paused := 0.0
		if s.Paused {
			paused = 1
		}
		metrics <- prometheus.MustNewConstMetric(m.paused, prometheus.GaugeValue, paused, s.Queue)
		for state, n := range map[string]int{"pending": s.Pending, "active": s.Active, "retry": s.Retry, "archived": s.Archived} {
			metrics <- prometheus.MustNewConstMetric(m.tasks, prometheus.GaugeValue, float64(n), s.Queue, state)
		}
	}
}

func (m *queueGauges) stats(ctx context.Context) ([]queue.Stats, error) {
	queues, err := m.queues.Queues(ctx)
	if err != nil {
		return nil, err
	}
	return m.queues.Stats(ctx, queues...)
}

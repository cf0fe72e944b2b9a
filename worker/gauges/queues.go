// Package gauges shows at each scrape what Redis holds: stores, callbacks, queues, orphans, and what waits.
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

// sample is one value of a gauge, and of its labels.
type sample struct {
	value  float64
	labels []string
}

// gauge is one gauge that is asked for at each scrape. Every worker shows the same: take the maximum, not the sum.
type gauge struct {
	desc    *prometheus.Desc
	read    func(context.Context) ([]sample, error)
	unshown string // is logged where Redis does not answer
	log     *slog.Logger
}

// Describe implements [prometheus.Collector].
func (g gauge) Describe(descs chan<- *prometheus.Desc) { descs <- g.desc }

// Collect implements [prometheus.Collector]. Where Redis does not answer it collects nothing.
func (g gauge) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	samples, err := g.read(ctx)
	if err != nil {
		g.log.Warn(g.unshown, "error", err)
		return
	}
	for _, s := range samples {
		metrics <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, s.value, s.labels...)
	}
}

// byKind reads a number of each kind.
func byKind[K ~string](count func(context.Context) (map[K]int64, error)) func(context.Context) ([]sample, error) {
	return func(ctx context.Context) (samples []sample, err error) {
		counts, err := count(ctx)
		for kind, n := range counts {
			samples = append(samples, sample{float64(n), []string{string(kind)}})
		}
		return samples, err
	}
}

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
		age:    prometheus.NewDesc("orchestrator_queue_oldest_pending_seconds", "Age of a queue's oldest pending task; every worker shows the same.", []string{"queue"}, nil),
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
		metrics <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, age(s.OldestPending), s.Queue)
		metrics <- prometheus.MustNewConstMetric(m.paused, prometheus.GaugeValue, oneIf(s.Paused), s.Queue)
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

package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker/queue"
)

// depthWait bounds one look at the queues: a scrape does not wait for a Redis that is away.
const depthWait = 2 * time.Second

// depths shows what waits in the queues, asked at each scrape. Every worker shows the same: take the largest, not the sum.
type depths struct {
	look  func(context.Context) ([]queue.Depth, error)
	log   *slog.Logger
	tasks *prometheus.Desc
	age   *prometheus.Desc
}

func newDepths(look func(context.Context) ([]queue.Depth, error), log *slog.Logger) *depths {
	return &depths{look: look, log: log,
		tasks: prometheus.NewDesc("orchestrator_queue_tasks", "Tasks in a queue by state; every worker shows the same.", []string{"queue", "state"}, nil),
		age:   prometheus.NewDesc("orchestrator_queue_age_seconds", "Age of a queue's oldest task that waits for a worker; every worker shows the same.", []string{"queue"}, nil)}
}

// Describe implements [prometheus.Collector].
func (d *depths) Describe(descs chan<- *prometheus.Desc) {
	descs <- d.tasks
	descs <- d.age
}

// Collect implements [prometheus.Collector]. Where Redis does not answer there is nothing to show, and the other metrics
// are not lost with it.
func (d *depths) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), depthWait)
	defer cancel()
	all, err := d.look(ctx)
	if err != nil {
		d.log.Warn("the queues' depth cannot be told", "error", err)
		return
	}
	for _, each := range all {
		metrics <- prometheus.MustNewConstMetric(d.age, prometheus.GaugeValue, each.Age.Seconds(), each.Queue)
		for state, n := range each.Tasks {
			metrics <- prometheus.MustNewConstMetric(d.tasks, prometheus.GaugeValue, float64(n), each.Queue, state)
		}
	}
}

package gauges

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// RedisHealth says how Redis does: [record.Stats].
type RedisHealth interface {
	Ping(ctx context.Context) error
	Complete(ctx context.Context) (bool, error)
	MemoryUsed(ctx context.Context) (float64, error)
}

// redisGauges shows how Redis does, asked at each scrape.
type redisGauges struct {
	records              RedisHealth
	log                  *slog.Logger
	up, complete, memory *prometheus.Desc
}

// Redis shows whether Redis answers this process, whether the records in it are complete, and how full it is.
func Redis(records RedisHealth, component string, log *slog.Logger) prometheus.Collector {
	of := prometheus.Labels{"component": component}
	return &redisGauges{records: records, log: log,
		up:       prometheus.NewDesc("orchestrator_redis_up", "1 while Redis answers this process.", nil, of),
		complete: prometheus.NewDesc("orchestrator_records_complete", "1 while the records are complete; 0 after a loss of Redis, until they are recovered.", nil, of),
		memory:   prometheus.NewDesc("orchestrator_redis_memory_used_ratio", "How much of its memory Redis uses, from 0 to 1; not shown where Redis does not tell.", nil, of)}
}

// Describe implements [prometheus.Collector].
func (g *redisGauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- g.up
	descs <- g.complete
	descs <- g.memory
}

// Collect implements [prometheus.Collector].
func (g *redisGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	show := func(desc *prometheus.Desc, value float64) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	if err := g.records.Ping(ctx); err != nil {
		show(g.up, 0)
		return
	}
	show(g.up, 1)
	if complete, err := g.records.Complete(ctx); err == nil {
		show(g.complete, oneIf(complete))
	}
	used, err := g.records.MemoryUsed(ctx)
	if err != nil {
		g.log.Debug("the memory of Redis is not shown", "error", err)
		return
	}
	show(g.memory, used)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

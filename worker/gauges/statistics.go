package gauges

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker/record"
)

// Counter counts what is on record: [record.Stats].
type Counter interface {
	Count(ctx context.Context, engines, clusters []string) (record.Counts, error)
}

// statistics shows how many stores and callbacks there are, asked at each scrape. Every process shows the same: take the maximum, not the sum.
type statistics struct {
	records           Counter
	engines, clusters []string
	log               *slog.Logger
	last              atomic.Int64 // when they were read last, in ms

	stores, oldest, pending, oldestCallback, letters, success *prometheus.Desc
}

// Statistics shows how many stores of the engines there are on the clusters, since when the oldest is under way, and what is left to be delivered.
func Statistics(records Counter, engines, clusters []string, log *slog.Logger) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("orchestrator_"+name, help, labels, nil)
	}
	s := &statistics{records: records, engines: engines, clusters: clusters, log: log,
		stores:         desc("stores", "Stores by status, engine and cluster; every process shows the same.", "status", "engine", "cluster"),
		oldest:         desc("oldest_live_seconds", "For how long the oldest store that does not wait is under way, by operation and cluster; every process shows the same.", "op", "cluster"),
		pending:        desc("callbacks_pending", "Callbacks that the backend has not confirmed; every process shows the same."),
		oldestCallback: desc("callback_oldest_pending_seconds", "Age of the oldest callback that the backend has not confirmed; every process shows the same."),
		letters:        desc("dead_letters", "Callbacks that the backend has refused; every process shows the same."),
		success:        desc("statistics_last_success_timestamp_seconds", "When this process has last read the numbers of stores and callbacks; at first when it began.")}
	s.last.Store(time.Now().UnixMilli())
	return s
}

// Describe implements [prometheus.Collector].
func (s *statistics) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.stores, s.oldest, s.pending, s.oldestCallback, s.letters, s.success} {
		descs <- d
	}
}

// Collect implements [prometheus.Collector]. Where Redis does not answer only the time of the last success is left.
func (s *statistics) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	show := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	c, err := s.records.Count(ctx, s.engines, s.clusters)
	if err != nil {
		s.log.Warn("the numbers of stores and callbacks are not shown", "error", err)
	} else {
		s.last.Store(time.Now().UnixMilli())
		for _, g := range c.Groups {
			show(s.stores, float64(g.Stores), string(g.Status), g.Engine, g.Cluster)
		}
		for _, o := range c.Oldest {
			show(s.oldest, age(o.Since), string(o.Op), o.Cluster)
		}
		show(s.pending, float64(c.PendingCallbacks))
		show(s.oldestCallback, age(c.OldestPendingCallback))
		show(s.letters, float64(c.DeadLetters))
	}
	show(s.success, float64(s.last.Load())/1000)
}

// age is the time since then in seconds; 0 for never.
func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, time.Since(since).Seconds())
}

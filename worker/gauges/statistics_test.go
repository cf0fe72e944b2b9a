package gauges

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

type fixedCounts struct {
	counts record.Counts
	err    error
}

func (f *fixedCounts) Count(context.Context, []string, []string) (record.Counts, error) {
	return f.counts, f.err
}

func TestStatisticsShowStoresAndCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := float64(time.Now().Unix())
		f := &fixedCounts{err: errors.New("away")}
		collector := Statistics(f, []string{"medusa"}, []string{"eu"}, slog.New(slog.DiscardHandler))
		time.Sleep(time.Minute)
		if values := gathered(t, collector); len(values) != 1 || values["orchestrator_statistics_last_success_timestamp_seconds"] != began {
			t.Errorf("while Redis is away: %v", values)
		}
		*f = fixedCounts{counts: record.Counts{
			Groups:           []record.Group{{Status: provision.StatusReady, Engine: "medusa", Cluster: "eu", Stores: 3}},
			Oldest:           []record.Oldest{{Op: provision.OpProvision, Cluster: "eu", Since: time.Now().Add(-time.Hour)}, {Op: provision.OpDelete, Cluster: "eu"}},
			PendingCallbacks: 2, OldestPendingCallback: time.Now().Add(-time.Minute), DeadLetters: 1}}
		values := gathered(t, collector)
		for name, want := range map[string]float64{"orchestrator_stores eu medusa READY": 3, "orchestrator_oldest_live_seconds eu provision": 3600,
			"orchestrator_oldest_live_seconds eu delete": 0, "orchestrator_callbacks_pending": 2, "orchestrator_callback_oldest_pending_seconds": 60,
			"orchestrator_dead_letters": 1, "orchestrator_statistics_last_success_timestamp_seconds": began + 60} {
			if got, shown := values[name]; got != want || !shown {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	})
}

type fixedRedis struct {
	ping, memory error
	complete     bool
}

func (f fixedRedis) Ping(context.Context) error                  { return f.ping }
func (f fixedRedis) Complete(context.Context) (bool, error)      { return f.complete, nil }
func (f fixedRedis) MemoryUsed(context.Context) (float64, error) { return 0.25, f.memory }

func TestRedisGauges(t *testing.T) {
	for name, c := range map[string]struct {
		redis fixedRedis
		want  map[string]float64
	}{
		"answers":         {fixedRedis{complete: true}, map[string]float64{"redis_up": 1, "records_complete": 1, "redis_memory_used_ratio": 0.25}},
		"is empty":        {fixedRedis{memory: errors.New("refused")}, map[string]float64{"redis_up": 1, "records_complete": 0}},
		"does not answer": {fixedRedis{ping: errors.New("away")}, map[string]float64{"redis_up": 0}},
	} {
		values := gathered(t, Redis(c.redis, "toy", slog.New(slog.DiscardHandler)))
		for family, want := range c.want {
			if got, shown := values["orchestrator_"+family+" toy"]; got != want || !shown {
				t.Errorf("Redis %s: %s is %v, want %v", name, family, got, want)
			}
		}
		if len(values) != len(c.want) {
			t.Errorf("Redis %s: %v", name, values)
		}
	}
}

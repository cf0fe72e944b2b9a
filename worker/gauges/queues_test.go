package gauges

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker/queue"
)

func gathered(t *testing.T, d prometheus.Collector) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(d)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetGauge().GetValue()
		}
	}
	return values
}

// fixedQueues are queues whose statistics are given.
type fixedQueues struct {
	stats []queue.Stats
	err   error
}

func (q fixedQueues) Queues(context.Context) (names []string, err error) {
	for _, s := range q.stats {
		names = append(names, s.Queue)
	}
	return names, q.err
}

func (q fixedQueues) Stats(context.Context, ...string) ([]queue.Stats, error) { return q.stats, q.err }

func TestQueueMetricsShowTasksAndAge(t *testing.T) {
	values := gathered(t, Queues(fixedQueues{stats: []queue.Stats{
		{Queue: "provision", Pending: 7, OldestPending: time.Now().Add(-90 * time.Second)}, {Queue: "delete", Archived: 2, Paused: true}}}, slog.New(slog.DiscardHandler)))
	if age := values["orchestrator_queue_oldest_pending_seconds provision"]; values["orchestrator_queue_tasks provision pending"] != 7 || age < 90 || age > 150 {
		t.Errorf("delivered %v", values)
	}
	if values["orchestrator_queue_paused delete"] != 1 || values["orchestrator_queue_paused provision"] != 0 {
		t.Errorf("paused queues: %v", values)
	}
	if age, shown := values["orchestrator_queue_oldest_pending_seconds delete"]; age != 0 || !shown || values["orchestrator_queue_tasks delete archived"] != 2 {
		t.Errorf("delivered %v", values)
	}
}

func TestQueueMetricsOfARedisThatIsAway(t *testing.T) {
	values := gathered(t, Queues(fixedQueues{err: errors.New("away")}, slog.New(slog.DiscardHandler)))
	if len(values) != 0 {
		t.Errorf("delivered %v", values)
	}
}

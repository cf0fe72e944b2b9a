package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker/queue"
)

func gathered(t *testing.T, d *depths) map[string]float64 {
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

func TestQueuesTellTheirDepthAndAge(t *testing.T) {
	values := gathered(t, newDepths(func(context.Context) ([]queue.Depth, error) {
		return []queue.Depth{{Queue: "provision", Tasks: map[string]int{"pending": 7}, Age: 90 * time.Second}}, nil
	}, quiet()))
	if values["orchestrator_queue_tasks provision pending"] != 7 || values["orchestrator_queue_age_seconds provision"] != 90 {
		t.Errorf("told %v", values)
	}
}

func TestARedisThatIsAwayTakesNoOtherMetricWithIt(t *testing.T) {
	values := gathered(t, newDepths(func(context.Context) ([]queue.Depth, error) { return nil, errors.New("away") }, quiet()))
	if len(values) != 0 {
		t.Errorf("told %v", values)
	}
}

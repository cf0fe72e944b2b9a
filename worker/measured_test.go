package worker_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker"
)

// shown is the value of a series, by name and the values of its labels; of a histogram the number of observations.
func shown(t *testing.T, reg *prometheus.Registry, series string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "orchestrator_")
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			if name == series {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return -1
}

func TestTheWayOfAStoreIsMeasured(t *testing.T) {
	s, reg := newService(t, redistest.Real(t)), prometheus.NewRegistry()
	s.work(t, func(c *worker.Config) { c.Metrics, c.Engines = reg, []string{"toy"} })
	s.accept(t, shop("a"))
	eventually(t, "READY is delivered", func() bool { return shown(t, reg, "callback_duration_seconds default delivered READY") == 1 })
	for series, want := range map[string]float64{"outcomes_total default none toy provision READY": 1, "time_to_ready_seconds default toy new": 1,
		"time_to_ready_seconds default toy again": 0, "run_duration_seconds default provision READY": 1, "lease_wait_seconds default provision": 1,
		"stores default toy READY": 1, "slots provision": 100, "cluster_up default": 1, "redis_up worker": 1, "records_complete worker": 1} {
		if got := shown(t, reg, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	eventually(t, "no callback is pending", func() bool { return shown(t, reg, "callbacks_pending") == 0 })
	if _, _, err := s.intake.Retry(t.Context(), "a", 0, []provision.Force{provision.ForceApply}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "READY is told again", func() bool { return shown(t, reg, "time_to_ready_seconds default toy again") == 1 })
	s.accept(t, remove("a"))
	eventually(t, "DELETED is recorded", func() bool { return shown(t, reg, "outcomes_total default none toy delete DELETED") == 1 })
	eventually(t, "a sweep has ended", func() bool { return shown(t, reg, "sweep_last_success_timestamp_seconds") > 0 })
}

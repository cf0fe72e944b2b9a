package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

func TestOutcomeOfARun(t *testing.T) {
	failed := provision.Errorf(provision.CodeQuota, "x")
	for want, c := range map[string]struct {
		op  provision.Op
		err error
		a   decision
	}{
		"READY":         {provision.OpProvision, nil, decision{final: true}},
		"DELETED":       {provision.OpDelete, nil, decision{final: true}},
		"next-cluster":  {provision.OpDelete, nil, decision{final: true, nextCluster: true}}, // nothing is deleted yet
		"DELETE_FAILED": {provision.OpDelete, failed, decision{final: true}},
		"unavailable":   {provision.OpDelete, provision.Errorf(provision.CodeUnavailable, "x"), decision{retry: true}},
	} {
		if got := outcomeOf(record.Run{Op: c.op}, c.err, c.a); got != want {
			t.Errorf("%+v is counted as %s, want %s", c, got, want)
		}
	}
}

// values are all series by name and labels; of a histogram the number of observations.
func values(t *testing.T, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "orchestrator_")
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestCountersExistFromTheStart(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newMetrics(reg, "medusa")
	m.on("eu").begin()
	m.serves("provision.eu", 5)
	all := values(t, reg)
	for _, name := range []string{"outcomes_total eu image medusa provision FAILED", "outcomes_total eu none other delete DELETED", "outcomes_total eu quota other delete DELETE_FAILED",
		"outcomes_total eu none medusa provision READY", "retries_total eu internal provision", "callback_duration_seconds eu unauthorized READY", "password_read_failures_total eu",
		"time_to_ready_seconds eu medusa new", "rescued_tasks_total provision.eu", "slots_in_use provision.eu", "leases_lost_total eu delete", "swept_stores_total expired"} {
		if n, there := all[name]; n != 0 || !there {
			t.Errorf("%s is %v, there: %v", name, n, there)
		}
	}
	if _, there := all["cluster_up default"]; there {
		t.Error("a cluster that is not served is said to be down")
	}
}

func TestOutcomesAreCountedByCauseAndTimeToReady(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newMetrics(reg, "medusa")
	run := record.Run{Op: provision.OpProvision, Store: provision.Store{Generation: time.Now().Add(-time.Minute).UnixMilli(), Request: provision.Request{Engine: "medusa"}}}
	m.ended(run, provision.StatusReady, "")
	run.WasReady = true
	m.ended(run, provision.StatusReady, "")
	run.Store.Engine = "of a customer's text"
	m.ended(run, provision.StatusFailed, provision.CodeImage)
	m.ran(run, errLeaseLost, decision{retry: true}, time.Second)
	m.ran(run, errors.New("unforeseen"), decision{retry: true}, time.Second)
	all := values(t, reg)
	for name, want := range map[string]float64{"outcomes_total default none medusa provision READY": 2, "outcomes_total default image other provision FAILED": 1,
		"time_to_ready_seconds default medusa new": 1, "time_to_ready_seconds default medusa again": 1, "leases_lost_total default provision": 1,
		"retries_total default unavailable provision": 1, "retries_total default internal provision": 1} {
		if all[name] != want {
			t.Errorf("%s is %v, want %v", name, all[name], want)
		}
	}
}

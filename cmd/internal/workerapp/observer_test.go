package workerapp

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"orchestrator/provision"
)

func TestObserverCountsWhatIsAskedOfACluster(t *testing.T) {
	reg := prometheus.NewRegistry()
	o := newObservers(reg)("eu")
	o.Request("GET", "pods", 200, time.Millisecond)
	o.Request("BREW", "other", 0, time.Millisecond)
	o.Helm("apply", nil, time.Second)
	o.Helm("apply", provision.Errorf(provision.CodeQuota, "x"), time.Second)
	o.Waiting("begin", 1)
	o.Waiting("begin", 1)
	o.Waiting("begin", -1)
	o.WriteLimit(5)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			seen = append(seen, strings.TrimPrefix(name, "orchestrator_"))
		}
	}
	for _, want := range []string{"kube_request_duration_seconds eu 200 pods GET", "kube_request_duration_seconds eu none other other",
		"helm_duration_seconds eu apply ok", "helm_duration_seconds eu apply quota"} {
		if !strings.Contains(strings.Join(seen, "\n")+"\n", want+"\n") {
			t.Errorf("%s is not there: %q", want, seen)
		}
	}
	if n := testutil.ToFloat64(o.(observer).waiting.WithLabelValues("begin")); n != 1 {
		t.Errorf("%v writes wait", n)
	}
	if n := testutil.ToFloat64(o.(observer).limit); n != 5 {
		t.Errorf("there are %v slots", n)
	}
}

package emf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func TestLinesAreAsCloudWatchReadsThem(t *testing.T) {
	reg := prometheus.NewRegistry()
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orchestrator_outcomes_total"}, []string{"op", "status"})
	ready := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_time_to_ready_seconds"}, []string{"engine"})
	foreign := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orchestrator_foreign_stores"}, []string{"installation"})
	pending := prometheus.NewGauge(prometheus.GaugeOpts{Name: "orchestrator_callback_oldest_pending_seconds"})
	used := prometheus.NewGauge(prometheus.GaugeOpts{Name: "orchestrator_redis_memory_used_ratio"})
	swept := prometheus.NewGauge(prometheus.GaugeOpts{Name: "orchestrator_sweep_last_success_timestamp_seconds"})
	runtime := prometheus.NewGauge(prometheus.GaugeOpts{Name: "go_goroutines"})
	reg.MustRegister(outcomes, ready, foreign, pending, used, swept, runtime)
	outcomes.WithLabelValues("provision", "READY").Add(3)
	outcomes.WithLabelValues("provision", "FAILED")
	ready.WithLabelValues("medusa").Observe(20)
	ready.WithLabelValues("medusa").Observe(25)
	ready.WithLabelValues("woocommerce")
	foreign.WithLabelValues("")
	used.Set(0.5)
	var out bytes.Buffer
	if err := Write(&out, "Shops", reg, time.UnixMilli(1700000000000)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"Shops","Dimensions":[[]],"Metrics":[{"Name":"callback_oldest_pending_seconds","Unit":"Seconds"},{"Name":"redis_memory_used_ratio","Unit":"None"}]}]},"callback_oldest_pending_seconds":0,"redis_memory_used_ratio":0.5}`,
		`{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"Shops","Dimensions":[["engine"]],"Metrics":[{"Name":"time_to_ready_seconds_count","Unit":"Count"},{"Name":"time_to_ready_seconds_sum","Unit":"Seconds"}]}]},"engine":"medusa","time_to_ready_seconds_count":2,"time_to_ready_seconds_sum":45}`,
		`{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"Shops","Dimensions":[["installation"]],"Metrics":[{"Name":"foreign_stores","Unit":"Count"}]}]},"foreign_stores":0,"installation":"none"}`,
		`{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"Shops","Dimensions":[["op","status"]],"Metrics":[{"Name":"outcomes_total","Unit":"Count"}]}]},"op":"provision","outcomes_total":3,"status":"READY"}`,
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestALineHasAtMostAHundredMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	for i := range 150 {
		reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: fmt.Sprintf("orchestrator_g%d", i)}))
	}
	var out bytes.Buffer
	if err := Write(&out, "Shops", reg, time.Now()); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for text := range strings.Lines(out.String()) {
		var line struct {
			AWS metadata `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(line.AWS.CloudWatchMetrics[0].Metrics))
	}
	if diff := cmp.Diff([]int{100, 50}, sizes); diff != "" {
		t.Error(diff)
	}
}

func TestAnErrorIsReported(t *testing.T) {
	broken := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("broken") })
	if err := Write(&bytes.Buffer{}, "Shops", broken, time.Now()); err == nil {
		t.Error("it is lost")
	}
}

package worker

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/worker/callback"
)

// metrics are what a worker counts. docs/operations.md says what to watch.
type metrics struct {
	all *families // of every cluster

	runs      prometheus.ObserverVec
	steps     prometheus.ObserverVec
	callbacks prometheus.ObserverVec
	up        prometheus.Gauge
	rescues   *prometheus.CounterVec
	parked    prometheus.Counter
}

type families struct {
	runs, steps, callbacks *prometheus.HistogramVec
	up                     *prometheus.GaugeVec
}

// seconds spans what lasts from a Redis round trip to a readiness budget.
var seconds = []float64{.01, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}

func newMetrics(reg prometheus.Registerer) *metrics {
	all := &families{
		runs: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_run_seconds", Buckets: seconds,
			Help: "Duration of runs by operation and outcome."}, []string{"op", "outcome", labelCluster}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_step_seconds", Buckets: seconds,
			Help: "Duration of steps by operation, step and state."}, []string{"op", "step", "state", labelCluster}),
		callbacks: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_callback_seconds", Buckets: seconds,
			Help: "Duration of callbacks by status and outcome."}, []string{"status", "outcome", labelCluster}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orchestrator_cluster_up",
			Help: "1 while the API server of a cluster answers this worker."}, []string{labelCluster}),
	}
	m := metrics{all: all,
		rescues: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orchestrator_rescued_tasks_total",
			Help: "Tasks handed back after their worker was gone."}, []string{"queue"}),
		parked: prometheus.NewCounter(prometheus.CounterOpts{Name: "orchestrator_parked_tasks_total",
			Help: "Tasks given back since their store's creator had as many new stores under way as allowed."}),
	}
	reg.MustRegister(all.runs, all.steps, all.callbacks, all.up, m.rescues, m.parked)
	return m.on("")
}

const labelCluster = "cluster"

// on returns the same metrics for what happens on one cluster.
func (m metrics) on(cluster string) *metrics {
	labels := prometheus.Labels{labelCluster: cmp.Or(cluster, provision.DefaultCluster)}
	m.runs, m.steps, m.callbacks = m.all.runs.MustCurryWith(labels), m.all.steps.MustCurryWith(labels), m.all.callbacks.MustCurryWith(labels)
	m.up = m.all.up.With(labels)
	return &m
}

func (m *metrics) ran(op provision.Op, err error, a answer, took time.Duration) {
	m.runs.WithLabelValues(string(op), outcomeOf(op, err, a)).Observe(took.Seconds())
}

func (m *metrics) stepped(s provision.Step) {
	m.steps.WithLabelValues(string(s.Op), s.Name, string(s.State)).Observe(float64(s.Millis) / 1000)
}

func (m *metrics) told(status provision.Status, outcome callback.Outcome, took time.Duration) {
	names := [...]string{callback.Told: "told", callback.Again: "again", callback.Unauthorized: "unauthorized", callback.Refused: "refused"}
	m.callbacks.WithLabelValues(string(status), names[outcome]).Observe(took.Seconds())
}

func (m *metrics) rescued(queue string, n int) {
	m.rescues.WithLabelValues(queue).Add(float64(n))
}

// outcomeOf names how a run ended: by its verdict, or by the code of what is tried again.
func outcomeOf(op provision.Op, err error, a answer) string {
	switch {
	case a.tell && err == nil:
		return string(op.Success())
	case a.tell:
		return string(op.Failure())
	}
	return string(provision.CodeOf(err))
}

func codeOrNone(err error) provision.Code {
	if err == nil {
		return ""
	}
	return provision.CodeOf(err)
}

// levelOf makes a run that failed for good an error, one that is counted a warning, and everything else a fact.
func levelOf(err error, a answer) slog.Level {
	switch {
	case a.tell && err != nil:
		return slog.LevelError
	case a.counted:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

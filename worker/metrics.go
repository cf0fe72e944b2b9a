package worker

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/worker/callback"
	"orchestrator/worker/record"
)

// metrics are what a worker counts. docs/operations.md says what to watch.
type metrics struct {
	all *families // of every cluster

	runs      prometheus.ObserverVec
	steps     prometheus.ObserverVec
	callbacks prometheus.ObserverVec
	up        prometheus.Gauge
	foreign   *prometheus.GaugeVec
	orphans   *prometheus.CounterVec
	throttled prometheus.Counter
	audits    prometheus.ObserverVec
	upgrades  prometheus.ObserverVec
}

type families struct {
	runs, steps, callbacks, audits, upgrades *prometheus.HistogramVec
	up, foreign                              *prometheus.GaugeVec
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
		audits: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_audit_seconds", Buckets: seconds,
			Help: "Duration of audits by result: unchanged, drifted, repaired or failed."}, []string{"result", labelCluster}),
		upgrades: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_upgrade_seconds", Buckets: seconds,
			Help: "Duration of upgrades of a rollout by result: done, failed, refused or again."}, []string{"result", labelCluster}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orchestrator_cluster_up",
			Help: "1 while the API server of a cluster answers this worker."}, []string{labelCluster}),
		foreign: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orchestrator_foreign_stores",
			Help: "Stores of other installations in a cluster, which are left alone; by the worker that reconciles it."}, []string{"installation", labelCluster}),
	}
	m := metrics{all: all,
		orphans: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orchestrator_orphaned_tasks_total",
			Help: "Active tasks of dead workers that were requeued."}, []string{"queue"}),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{Name: "orchestrator_throttled_tasks_total",
			Help: "Runs that waited because the store's creator had as many new stores in progress as allowed."}),
	}
	reg.MustRegister(all.runs, all.steps, all.callbacks, all.audits, all.upgrades, all.up, all.foreign, m.orphans, m.throttled)
	return m.on("")
}

const labelCluster = "cluster"

// on returns the same metrics for what happens on one cluster.
func (m metrics) on(cluster string) *metrics {
	labels := prometheus.Labels{labelCluster: cmp.Or(cluster, provision.DefaultCluster)}
	m.runs, m.steps, m.callbacks = m.all.runs.MustCurryWith(labels), m.all.steps.MustCurryWith(labels), m.all.callbacks.MustCurryWith(labels)
	m.audits, m.upgrades = m.all.audits.MustCurryWith(labels), m.all.upgrades.MustCurryWith(labels)
	m.up, m.foreign = m.all.up.With(labels), m.all.foreign.MustCurryWith(labels)
	return &m
}

func (m *metrics) ran(run record.Run, err error, a decision, took time.Duration) {
	m.runs.WithLabelValues(string(run.Op), outcomeOf(run, err, a)).Observe(took.Seconds())
}

func (m *metrics) stepped(s provision.Step) {
	m.steps.WithLabelValues(string(s.Op), s.Name, string(s.State)).Observe(float64(s.Millis) / 1000)
}

func (m *metrics) delivered(status provision.Status, outcome callback.Outcome, took time.Duration) {
	names := [...]string{callback.Delivered: "delivered", callback.Retry: "retry", callback.Unauthorized: "unauthorized", callback.Refused: "refused"}
	m.callbacks.WithLabelValues(string(status), names[outcome]).Observe(took.Seconds())
}

// audited counts an audit by what it has found.
func (m *metrics) audited(found provision.Finding, err error, took time.Duration) {
	result := "unchanged"
	switch {
	case err != nil:
		result = "failed"
	case len(found.Drift) > 0:
		result = "drifted"
	case len(found.Repaired) > 0:
		result = "repaired"
	}
	m.audits.WithLabelValues(result).Observe(took.Seconds())
}

// upgraded counts the upgrade of a store by how it has ended.
func (m *metrics) upgraded(u provision.Upgraded, err error, took time.Duration) {
	result := string(u.Result)
	if err != nil {
		result = "again"
	}
	m.upgrades.WithLabelValues(result).Observe(took.Seconds())
}

// unreadable counts a callback that was not sent, since the store's password cannot be read.
func (m *metrics) unreadable(status provision.Status) {
	m.callbacks.WithLabelValues(string(status), "unreadable").Observe(0)
}

func (m *metrics) foreignStores(installation string, n int) {
	m.foreign.WithLabelValues(installation).Set(float64(n))
}

func (m *metrics) orphaned(queue string, n int) {
	m.orphans.WithLabelValues(queue).Add(float64(n))
}

// outcomeOf names how a run ended: by its outcome, or by the code of the error that is tried again.
func outcomeOf(run record.Run, err error, a decision) string {
	switch {
	case a.nextCluster:
		return string(record.OutcomeNextCluster)
	case a.final && err == nil:
		return string(run.Store.Success(run.Op))
	case a.final:
		return string(run.Op.Failure())
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
func levelOf(err error, a decision) slog.Level {
	switch {
	case a.final && err != nil:
		return slog.LevelError
	case a.counted:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

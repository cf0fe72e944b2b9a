package worker

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/worker/callback"
	"orchestrator/worker/record"
)

// metrics are what a worker counts. docs/metrics.md lists them.
type metrics struct {
	all     *families // of every cluster
	engines []string  // that have a label of their own
	cluster string

	throttled prometheus.Counter
}

type families struct {
	runs, steps, ready, callbacks, audits, upgrades, waits *prometheus.HistogramVec
	backups, restoreTests                                  *prometheus.HistogramVec
	outcomes, retries, unreadable, recovered, lost         *prometheus.CounterVec
	rescued, swept                                         *prometheus.CounterVec
	up, foreign, slots, used                               *prometheus.GaugeVec
	throttled                                              prometheus.Counter
	sweeps                                                 prometheus.Histogram
	sweptAt                                                prometheus.Gauge
}

const (
	labelCluster = "cluster"
	labelEngine  = "engine"
	labelQueue   = "queue"
	labelResult  = "result"
)

// Buckets span what lasts from a Redis round trip to a readiness budget; those of a store begin where a shop could be ready at the earliest.
var (
	seconds       = []float64{.05, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}
	backupSeconds = []float64{5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800}
	readySeconds  = []float64{1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 600, 1800}
)

// duration is a histogram, classic and native.
func duration(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Name: "orchestrator_" + name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}
}

// newFamilies registers what a worker counts itself.
func newFamilies(reg prometheus.Registerer) *families {
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(duration(name, help, seconds), labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orchestrator_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orchestrator_" + name, Help: help}, labels)
	}
	f := &families{
		runs:  histogram("run_duration_seconds", "Duration of runs by operation and outcome.", "op", "outcome", labelCluster),
		steps: histogram("step_duration_seconds", "Duration of steps by operation, step and state.", "op", "step", "state", labelEngine, labelCluster),
		ready: prometheus.NewHistogramVec(duration("time_to_ready_seconds", "Time from the acceptance of a request to its READY; new: the first of the store.", readySeconds),
			[]string{labelEngine, labelCluster, "kind"}),
		outcomes: counter("outcomes_total", "Outcomes that were recorded, by operation, status and code.", "op", "status", "code", labelEngine, labelCluster),
		retries:  counter("retries_total", "Runs that did not end and are tried again, by the code of the error.", "op", "code", labelCluster),

		callbacks:    histogram("callback_duration_seconds", "Duration of callbacks by status and outcome.", "status", "outcome", labelCluster),
		unreadable:   counter("password_read_failures_total", "Callbacks that were not sent, since the password of the store could not be read.", labelCluster),
		audits:       histogram("audit_duration_seconds", "Duration of audits by result: unchanged, drifted, repaired or failed.", labelResult, labelCluster),
		upgrades:     histogram("upgrade_duration_seconds", "Duration of upgrades of a rollout by result: done, failed, refused or again.", labelResult, labelCluster),
		backups:      prometheus.NewHistogramVec(duration("backup_duration_seconds", "Duration of backups by result: done, failed or again.", backupSeconds), []string{labelResult, labelEngine, labelCluster}),
		restoreTests: prometheus.NewHistogramVec(duration("restore_test_duration_seconds", "Duration of restore tests by result: done, failed or again.", backupSeconds), []string{labelResult, labelEngine, labelCluster}),
		recovered:    counter("recovered_records_total", "Records that were restored from a cluster.", labelCluster),
		waits:        histogram("lease_wait_seconds", "How long runs have waited for the lease of their store.", "op", labelCluster),
		lost:         counter("leases_lost_total", "Runs that have lost the lease of their store.", "op", labelCluster),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{Name: "orchestrator_throttled_tasks_total",
			Help: "Runs that waited because the store's creator had as many new stores in progress as allowed."}),

		up: gauge("cluster_up", "1 while the API server of a cluster answers this worker.", labelCluster),
		foreign: gauge("foreign_stores", "Stores of other installations in a cluster, which are left alone; by the worker that reconciles it.",
			"installation", labelCluster),
		slots:   gauge("slots", "Tasks of a queue that this worker may handle at a time.", labelQueue),
		used:    gauge("slots_in_use", "Tasks of a queue that this worker handles now.", labelQueue),
		rescued: counter("rescued_tasks_total", "Active tasks of dead workers that were requeued.", labelQueue),

		sweeps: prometheus.NewHistogram(duration("sweep_duration_seconds", "Duration of sweeps; of the worker that sweeps.", seconds)),
		sweptAt: prometheus.NewGauge(prometheus.GaugeOpts{Name: "orchestrator_sweep_last_success_timestamp_seconds",
			Help: "When this worker has last ended a sweep without an error; 0: never. One worker sweeps: take the maximum."}),
		swept: counter("swept_stores_total", "Stores that a sweep has come to: inspected, expired (ended at its deadline without a run) or lost (its cluster was given up).", "kind"),
	}
	reg.MustRegister(f.runs, f.steps, f.ready, f.outcomes, f.retries, f.callbacks, f.unreadable, f.audits, f.upgrades, f.backups, f.restoreTests, f.recovered, f.waits, f.lost, f.throttled,
		f.up, f.foreign, f.slots, f.used, f.rescued, f.sweeps, f.sweptAt, f.swept)
	return f
}

// otherEngine is the label of what belongs to no engine: the delete of an unknown store.
const otherEngine = "other"

func newMetrics(reg prometheus.Registerer, engines ...string) *metrics {
	m := metrics{all: newFamilies(reg), engines: append(slices.Clone(engines), otherEngine)}
	m.throttled = m.all.throttled
	for _, kind := range []string{sweptInspected, sweptExpired, sweptLost} {
		m.all.swept.WithLabelValues(kind)
	}
	return m.on("")
}

// on returns the same metrics for what happens on one cluster.
func (m metrics) on(cluster string) *metrics {
	m.cluster = cmp.Or(cluster, provision.DefaultCluster)
	return &m
}

// begin has every counter exist at 0: what counts increases does not see a series that begins at 1.
func (m *metrics) begin() {
	for _, op := range []provision.Op{provision.OpProvision, provision.OpDelete} {
		for _, code := range []provision.Code{provision.CodeBusy, provision.CodeUnavailable, provision.CodeBlocked, provision.CodeInternal} {
			m.all.retries.WithLabelValues(string(op), string(code), m.cluster)
		}
		m.all.waits.WithLabelValues(string(op), m.cluster)
		m.all.lost.WithLabelValues(string(op), m.cluster)
		for _, engine := range m.engines {
			m.all.outcomes.WithLabelValues(string(op), string(op.Success()), codeNone, engine, m.cluster)
			for _, code := range provision.Codes {
				m.all.outcomes.WithLabelValues(string(op), string(op.Failure()), string(code), engine, m.cluster)
			}
		}
	}
	for _, engine := range m.engines[:len(m.engines)-1] {
		m.all.outcomes.WithLabelValues(string(provision.OpProvision), string(provision.StatusSuspended), codeNone, engine, m.cluster)
		for _, result := range []string{backupDone, backupFailed, backupAgain} {
			m.all.backups.WithLabelValues(result, engine, m.cluster)
			m.all.restoreTests.WithLabelValues(result, engine, m.cluster)
		}
		for _, kind := range []string{kindNew, kindAgain} {
			m.all.ready.WithLabelValues(engine, m.cluster, kind)
		}
	}
	m.all.unreadable.WithLabelValues(m.cluster)
	m.all.recovered.WithLabelValues(m.cluster)
	m.callbacksBegin()
}

// callbacksBegin is [metrics.begin] for a queue that has callbacks only.
func (m *metrics) callbacksBegin() {
	for _, status := range provision.Statuses {
		for _, outcome := range callbackOutcomes {
			m.all.callbacks.WithLabelValues(string(status), outcome, m.cluster)
		}
	}
}

// up is for a cluster that this worker serves.
func (m *metrics) up() prometheus.Gauge { return m.all.up.WithLabelValues(m.cluster) }

// serves shows the slots of a queue, and has what is counted of it exist.
func (m *metrics) serves(queueName string, slots int) (used prometheus.Gauge) {
	m.all.slots.WithLabelValues(queueName).Set(float64(slots))
	m.all.rescued.WithLabelValues(queueName)
	return m.all.used.WithLabelValues(queueName)
}

// codeNone is the label of an outcome without an error.
const codeNone = "none"

// The kinds of a READY: the first of a store, or a later one.
const (
	kindNew   = "new"
	kindAgain = "again"
)

// What a sweep does with a store.
const (
	sweptInspected = "inspected"
	sweptExpired   = "expired"
	sweptLost      = "lost"
)

// engine is the label of a store's engine.
func (m *metrics) engine(s provision.Store) string {
	if slices.Contains(m.engines, s.Engine) {
		return s.Engine
	}
	return otherEngine
}

// ran counts a run by how it has ended, and what is tried again by its code.
func (m *metrics) ran(run record.Run, err error, a decision, took time.Duration) {
	m.all.runs.WithLabelValues(string(run.Op), outcomeOf(run, err, a), m.cluster).Observe(took.Seconds())
	if a.retry {
		m.retried(run.Op, err)
	}
	if errors.Is(err, errLeaseLost) {
		m.all.lost.WithLabelValues(string(run.Op), m.cluster).Inc()
	}
}

// retried counts what is tried again, also what has not begun.
func (m *metrics) retried(op provision.Op, err error) {
	m.all.retries.WithLabelValues(string(op), string(provision.CodeOf(err)), m.cluster).Inc()
}

// ended counts an outcome that was recorded. The generation of a request is the time of its acceptance.
func (m *metrics) ended(run record.Run, status provision.Status, code provision.Code) {
	engine := m.engine(run.Store)
	m.all.outcomes.WithLabelValues(string(run.Op), string(status), cmp.Or(string(code), codeNone), engine, m.cluster).Inc()
	if status != provision.StatusReady {
		return
	}
	kind := kindNew
	if run.WasReady {
		kind = kindAgain
	}
	m.all.ready.WithLabelValues(engine, m.cluster, kind).Observe(time.Since(time.UnixMilli(run.Store.Generation)).Seconds())
}

// waited counts how long a run has waited for the lease.
func (m *metrics) waited(op provision.Op, took time.Duration) {
	m.all.waits.WithLabelValues(string(op), m.cluster).Observe(took.Seconds())
}

func (m *metrics) stepped(of provision.Store, s provision.Step) {
	m.all.steps.WithLabelValues(string(s.Op), s.Name, string(s.State), m.engine(of), m.cluster).Observe(float64(s.Millis) / 1000)
}

// callbackOutcomes are how a callback that was sent has ended.
var callbackOutcomes = [...]string{callback.Delivered: "delivered", callback.Retry: "retry", callback.Unauthorized: "unauthorized", callback.Refused: "refused"}

func (m *metrics) delivered(status provision.Status, outcome callback.Outcome, took time.Duration) {
	m.all.callbacks.WithLabelValues(string(status), callbackOutcomes[outcome], m.cluster).Observe(took.Seconds())
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
	m.all.audits.WithLabelValues(result, m.cluster).Observe(took.Seconds())
}

// upgraded counts the upgrade of a store by how it has ended.
func (m *metrics) upgraded(u provision.Upgraded, err error, took time.Duration) {
	result := string(u.Result)
	if err != nil {
		result = "again"
	}
	m.all.upgrades.WithLabelValues(result, m.cluster).Observe(took.Seconds())
}

// The results of a backup, and of a restore test. What says nothing about the store is made again.
const (
	backupDone   = "done"
	backupFailed = "failed"
	backupAgain  = "again"
)

// backedUp counts a backup by how it has ended.
func (m *metrics) backedUp(of provision.Store, end record.BackupEnd, took time.Duration) {
	m.countBackup(m.all.backups, of, end, took)
}

// restoreTested counts a restore test by how it has ended.
func (m *metrics) restoreTested(of provision.Store, end record.BackupEnd, took time.Duration) {
	m.countBackup(m.all.restoreTests, of, end, took)
}

func (m *metrics) countBackup(family *prometheus.HistogramVec, of provision.Store, end record.BackupEnd, took time.Duration) {
	result := backupAgain
	switch {
	case end.Made != nil || end.Passed != nil:
		result = backupDone
	case end.Code != "":
		result = backupFailed
	}
	family.WithLabelValues(result, m.engine(of), m.cluster).Observe(took.Seconds())
}

// unreadable counts a callback that was not sent, since the store's password cannot be read.
func (m *metrics) unreadable() { m.all.unreadable.WithLabelValues(m.cluster).Inc() }

func (m *metrics) foreignStores(installation string, n int) {
	m.all.foreign.WithLabelValues(installation, m.cluster).Set(float64(n))
}

func (m *metrics) rescued(queue string, n int) { m.all.rescued.WithLabelValues(queue).Add(float64(n)) }

func (m *metrics) restored(n int) { m.all.recovered.WithLabelValues(m.cluster).Add(float64(n)) }

// swept counts stores that a sweep has come to.
func (m *metrics) swept(kind string, n int) { m.all.swept.WithLabelValues(kind).Add(float64(n)) }

// sweepEnded counts a sweep that this worker has made.
func (m *metrics) sweepEnded(took time.Duration, err error) {
	m.all.sweeps.Observe(took.Seconds())
	if err == nil {
		m.all.sweptAt.SetToCurrentTime()
	}
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

package gate

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// metrics have no label that names a store.
type metrics struct {
	requests *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	storage  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer, inWork func() int) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orchestrator_backup_gate_requests_total",
			Help: "Requests of stores' backups by method, kind of file and status; cut: the answer was broken off."}, []string{"method", "kind", "code"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orchestrator_backup_gate_bytes_total",
			Help: "Bytes of stores' backups that have passed the gate: in (to the storage) or out."}, []string{"direction"}),
		storage: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_backup_gate_storage_duration_seconds",
			Help:    "Time from a request to the storage of backups to the beginning of its answer, by method and status; none: no answer came.",
			Buckets: []float64{0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60}, NativeHistogramBucketFactor: 1.1}, []string{"method", "code"}),
	}
	for _, direction := range []string{"in", "out"} {
		m.bytes.WithLabelValues(direction)
	}
	reg.MustRegister(m.requests, m.bytes, m.storage, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "orchestrator_backup_gate_requests_in_progress",
		Help: "Requests of stores' backups that are at the storage now."}, func() float64 { return float64(inWork()) }))
	return m
}

func (m *metrics) note(x *exchange) {
	method, kind := x.method, x.target.kind
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete:
	default:
		method = "other"
	}
	if kind == "" {
		kind = "other"
	}
	m.requests.WithLabelValues(method, kind, x.status()).Inc()
	if x.watch != nil {
		m.bytes.WithLabelValues("out").Add(float64(x.out))
		m.bytes.WithLabelValues("in").Add(float64(x.received()))
	}
}

// measured notes how long the storage takes to answer.
type measured struct {
	http.RoundTripper
	metrics *metrics
}

func (t measured) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := t.RoundTripper.RoundTrip(r)
	code := "none"
	if err == nil {
		code = strconv.Itoa(response.StatusCode)
	}
	t.metrics.storage.WithLabelValues(r.Method, code).Observe(time.Since(began).Seconds())
	return response, err
}

// refusalLog writes a line for each request at debug level, and for each that was refused at warn level, of which there are few a second: anyone who reaches the gate can cause them.
type refusalLog struct {
	log *slog.Logger

	mu      sync.Mutex
	limit   *rate.Limiter
	skipped int
}

func newRefusalLog(log *slog.Logger) *refusalLog {
	return &refusalLog{log: log, limit: rate.NewLimiter(1, 20)}
}

func (l *refusalLog) note(r *http.Request, x *exchange) {
	level := slog.LevelDebug
	args := []any{"method", x.method, "kind", x.target.kind, "code", x.status(), "in", x.received(), "out", x.out, "duration", time.Since(x.started), "remote", r.RemoteAddr,
		"installation", x.target.installation, "store_label", x.target.label}
	if refused := x.refused; refused != nil {
		args = append(args, "refused", refused.text, "cause", refused.cause)
		if refused.status != http.StatusNotFound { // restic asks for what may not be there
			if skipped, ok := l.allow(); ok {
				level = slog.LevelWarn
				args = append(args, "skipped", skipped)
			}
		}
	}
	l.log.Log(r.Context(), level, "request", args...)
}

// allow says whether a line may be written, and how many were not since the last one.
func (l *refusalLog) allow() (skipped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.limit.Allow() {
		l.skipped++
		return 0, false
	}
	skipped, l.skipped = l.skipped, 0
	return skipped, true
}

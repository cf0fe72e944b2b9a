package workerapp

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// observers make the observer of each cluster, by name.
type observers func(cluster string) kube.Observer

// observer counts what is asked of the API server of one cluster.
type observer struct {
	requests, helm prometheus.ObserverVec
	waiting        *prometheus.GaugeVec
	limit          prometheus.Gauge
}

// newObservers registers what they count.
func newObservers(reg prometheus.Registerer) observers {
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "orchestrator_" + name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}, append(labels, "cluster"))
	}
	requests := histogram("kube_request_duration_seconds", "Duration of requests to API servers but watches, by method, resource and status; none: no answer came.",
		[]float64{.01, .05, .1, .5, 1, 5, 30}, "verb", "resource", "code")
	helm := histogram("helm_duration_seconds", "Duration of Helm's operations: apply, revert, remove or trial, by result: ok, or the code of the error.",
		[]float64{.1, .5, 1, 2.5, 5, 10, 30, 60}, "operation", "result")
	waiting := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orchestrator_writes_waiting",
		Help: "Helm's operations and other writes that wait for a write slot, by what they are for: finish, begin, delete or maintenance."}, []string{"class", "cluster"})
	limit := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orchestrator_write_slots",
		Help: "Helm's operations and other writes that may run at the same time: ORCH_CLUSTER_WRITES, or what the API server's answers have made of it."}, []string{"cluster"})
	reg.MustRegister(requests, helm, waiting, limit)
	return func(cluster string) kube.Observer {
		labels := prometheus.Labels{"cluster": cmp.Or(cluster, provision.DefaultCluster)}
		for _, class := range []provision.WriteClass{provision.WriteFinish, provision.WriteBegin, provision.WriteDelete, provision.WriteMaintenance} {
			waiting.MustCurryWith(labels).WithLabelValues(string(class))
		}
		return observer{requests.MustCurryWith(labels), helm.MustCurryWith(labels), waiting.MustCurryWith(labels), limit.With(labels)}
	}
}

// methods are those that are counted by name.
var methods = map[string]bool{http.MethodGet: true, http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true}

// Request implements [kube.Observer].
func (o observer) Request(method, resource string, status int, took time.Duration) {
	code := "none"
	if status != 0 {
		code = strconv.Itoa(status)
	}
	if !methods[method] {
		method = "other"
	}
	o.requests.WithLabelValues(method, resource, code).Observe(took.Seconds())
}

// Helm implements [kube.Observer].
func (o observer) Helm(operation string, err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = string(provision.CodeOf(err))
	}
	o.helm.WithLabelValues(operation, result).Observe(took.Seconds())
}

// Waiting implements [kube.Observer].
func (o observer) Waiting(class string, change int) {
	o.waiting.WithLabelValues(class).Add(float64(change))
}

// WriteLimit implements [kube.Observer].
func (o observer) WriteLimit(slots int) { o.limit.Set(float64(slots)) }

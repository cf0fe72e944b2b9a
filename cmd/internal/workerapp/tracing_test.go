package workerapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"orchestrator/cmd/internal/ingestapp"
	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/mock"
)

const callersTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// kept is an exporter that keeps spans, and tells which ones have ended.
type kept struct {
	mu    sync.Mutex
	spans []sdk.ReadOnlySpan
	ended chan string
}

func (k *kept) ExportSpans(_ context.Context, spans []sdk.ReadOnlySpan) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spans = append(k.spans, spans...)
	for _, s := range spans {
		k.ended <- s.Name()
	}
	return nil
}

func (*kept) Shutdown(context.Context) error { return nil }

// await waits until spans of these names have ended, in any order.
func (k *kept) await(t *testing.T, names ...string) {
	t.Helper()
	for timeout := time.After(time.Minute); len(names) > 0; {
		select {
		case got := <-k.ended:
			if i := slices.Index(names, got); i >= 0 {
				names = slices.Delete(names, i, i+1)
			}
		case <-timeout:
			t.Fatalf("no span %q has ended", names)
		}
	}
}

func (k *kept) drawn() (all []drawn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.spans {
		one := drawn{trace: s.SpanContext().TraceID().String(), id: s.SpanContext().SpanID().String(), name: s.Name(), kind: s.SpanKind().String(),
			failed: s.Status().Description, start: s.StartTime().UnixNano()}
		if s.Parent().IsValid() {
			one.parent = s.Parent().SpanID().String()
		}
		for _, a := range s.Attributes() {
			if a.Key == "orchestrator.outcome" {
				one.outcome = a.Value.AsString()
			}
		}
		for _, l := range s.Links() {
			one.links = append(one.links, l.SpanContext.SpanID().String())
		}
		all = append(all, one)
	}
	return all
}

// tracedService is ingest and a worker on a simulated cluster, whose releases and API are a test's.
type tracedService struct {
	*testing.T
	api    *ingestapp.API
	runner *provision.Runner
	got    chan http.Header // of callbacks
	told   chan []byte      // their bodies
	stop   func()           // of the worker
	log    *lines
}

// lines are those of a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// with returns the line of a message.
func (l *lines) with(message string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, `msg="`+message+`"`) {
			return line
		}
	}
	return ""
}

// startTraced starts them. The backend answers callbacks with status. A kubeconfig is that of a real cluster.
func startTraced(t *testing.T, tracing *service.Tracing, status int, kubeconfig string) *tracedService {
	s := &tracedService{T: t, got: make(chan http.Header, 10), told: make(chan []byte, 10), log: &lines{}}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.got <- r.Header
		s.told <- body
		w.WriteHeader(status)
	}))
	t.Cleanup(backend.Close)
	config, common := valid(), common(redistest.Mini(t))
	config.Backend, common.Tracing = backend.URL, tracing
	config.Mock, config.Kubeconfig = kubeconfig == "", kubeconfig
	w, err := Open(t.Context(), common, config, slog.New(slog.NewTextHandler(s.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s.runner = w.clusters.clusters[0].Runner.(*provision.Runner)
	if kubeconfig == "" {
		s.runner.Releases = tracedReleases{s.deployer(tracing)}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.Close()
	})
	t.Cleanup(s.stop)
	if s.api, err = ingestapp.Open(common, ingestapp.Config{Timeout: 20 * time.Second}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.api.Close)
	return s
}

// deployer applies a release by one request to an API server, and watches it.
type deployer struct {
	provision.Releases
	api *kube.Client
}

func (s *tracedService) deployer(tracing *service.Tracing) deployer {
	s.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"s"}}`)
	}))
	s.Cleanup(server.Close)
	api, err := kube.New(kube.Config{Wrap: tracing.Cluster(), Log: slog.New(slog.DiscardHandler)}, &rest.Config{Host: server.URL, BearerToken: "C4NARY"})
	if err != nil {
		s.Fatal(err)
	}
	return deployer{mock.Cluster{}.Runner(nil, 0, 0).Releases, api}
}

func (d deployer) Apply(ctx context.Context, s provision.Store, _ provision.Release) (provision.Applied, error) {
	apps := d.api.Clientset.AppsV1().Deployments(s.Namespace)
	if w, err := apps.Watch(ctx, metav1.ListOptions{}); err == nil {
		w.Stop()
	}
	_, err := apps.Patch(ctx, "s", types.ApplyPatchType, []byte(`{"password":"C4NARY"}`), metav1.PatchOptions{FieldManager: "C4NARY"})
	return provision.Applied{At: time.Now()}, err
}

func (s *tracedService) post(path, body string) {
	s.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Orchestrator-Token", "old")
	if path == "/" {
		r.Header.Set("traceparent", callersTrace)
	}
	answer := httptest.NewRecorder()
	if s.api.Handler.ServeHTTP(answer, r); answer.Code != http.StatusAccepted {
		s.Fatalf("%d %s", answer.Code, answer.Body)
	}
}

const aShop = `{"store_id":"s","name":"s","engine":"medusa","namespace":"store-s","host":"s.test","store_url":"https://s.test","settings":{"title":"C4NARY"}}`

func (s *tracedService) wantTree(all []drawn, want string) {
	s.Helper()
	want = strings.ReplaceAll(want, "\n\n", "\n")
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(want), "\n"), strings.Split(strings.TrimSpace(tree(all)), "\n")); diff != "" {
		s.Errorf("the traces (-want +got):\n%s", diff)
	}
}

// tracedBy starts a service whose spans are kept.
func tracedBy(t *testing.T, status int) (*tracedService, *kept) {
	t.Helper()
	spans := &kept{ended: make(chan string, 1000)}
	return startTraced(t, service.TracingBy(sdk.NewTracerProvider(sdk.WithSyncer(spans))), status, ""), spans
}

const goodRun = `
POST / (server)
  record accept (client)
  send provision (producer)
  process provision (consumer) READY
    lease acquire (client)
    step namespace
    step credentials
    step release
      helm apply
        kube PATCH deployments (client)
    step ready
    record outcome (client)
    send callback (producer)
  process callback (consumer) delivered
    read password
    POST /api/stores/{id}/status (client)
`

func TestOneTraceFromThePostToTheCallback(t *testing.T) {
	t.Parallel()
	s, spans := tracedBy(t, http.StatusOK)
	s.post("/", aShop)
	spans.await(t, "process provision", "process callback")
	s.wantTree(spans.drawn(), goodRun)
	ids := map[string]bool{}
	for _, one := range spans.drawn() {
		ids[one.trace] = true
	}
	if !ids["0af7651916cd43dd8448eb211c80319c"] || len(ids) != 1 {
		t.Errorf("the caller's trace is not theirs: %v", ids)
	}
	for _, message := range []string{"run begins", "callback delivered"} {
		if line := s.log.with(message); strings.Count(line, "trace_id=0af7651916cd43dd8448eb211c80319c") != 1 {
			t.Errorf("%s: the line does not name its trace: %q", message, line)
		}
	}
	got := (<-s.got).Get("traceparent")
	for _, span := range spans.spans {
		want := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
		if strings.HasPrefix(span.Name(), "POST /api") && got != want {
			t.Errorf("the backend gets traceparent %q, want %q", got, want)
		}
	}
}

// failsOnce is a readiness that fails the first time.
type failsOnce struct {
	provision.Readiness
	failed *bool
}

func (f failsOnce) Wait(ctx context.Context, s provision.Store, deadline time.Time) error {
	if *f.failed {
		return f.Readiness.Wait(ctx, s, deadline)
	}
	*f.failed = true
	return provision.Wrap(provision.CodeBlocked, errors.New("C4NARY"), "a webhook does not answer")
}

func TestALaterRunHasATraceOfItsOwn(t *testing.T) {
	t.Parallel()
	s, spans := tracedBy(t, http.StatusOK)
	s.runner.Readiness = failsOnce{s.runner.Readiness, new(bool)}
	s.post("/", aShop)
	spans.await(t, "process provision")
	s.post("/stores/s/retry", "")
	spans.await(t, "process provision", "process callback")
	s.wantTree(spans.drawn(), `
POST / (server)
  record accept (client)
  send provision (producer)
  process provision (consumer) blocked [a webhook does not answer]
    lease acquire (client)
    step namespace
    step credentials
    step release
      helm apply
        kube PATCH deployments (client)
    step ready [a webhook does not answer]
  process callback (consumer) delivered
    read password
    POST /api/stores/{id}/status (client)
POST /stores/:store_id/retry (server) → POST /
  record accept (client)
  send provision (producer)
process provision (consumer) READY → POST /
  lease acquire (client)
  step namespace
  step credentials
  step release
    helm apply
      kube PATCH deployments (client)
  step ready
  record outcome (client)
  send callback (producer)
`)
}

// TestARefusedCallbackIsSeenInTheTrace: and so is the replay of its dead letter, in a trace of its own.
func TestARefusedCallbackIsSeenInTheTrace(t *testing.T) {
	t.Parallel()
	s, spans := tracedBy(t, http.StatusUnprocessableEntity)
	s.post("/", aShop)
	spans.await(t, "process provision", "process callback")
	refused := strings.NewReplacer("callback (consumer) delivered", "callback (consumer) refused", "status (client)", "status (client) [Unprocessable Entity]")
	s.wantTree(spans.drawn(), refused.Replace(goodRun))
	s.post("/dead-letters/"+(<-s.got).Get("webhook-id")+"/replay", "")
	spans.await(t, "process callback")
	s.wantTree(spans.drawn(), refused.Replace(goodRun+`
POST /dead-letters/:id/replay (server)
process callback (consumer) refused → POST /
  read password
  POST /api/stores/{id}/status (client)
`))
}

// TestATraceIsExportedWithoutSecrets: by OTLP over HTTP, as the standard variables say.
func TestATraceIsExportedWithoutSecrets(t *testing.T) {
	to := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL)
	t.Setenv("OTEL_SERVICE_NAME", "both")
	tracing, err := service.StartTracing(t.Context(), "worker", slog.New(slog.DiscardHandler))
	if err != nil || tracing == nil {
		t.Fatal(tracing, err)
	}
	s := startTraced(t, tracing, http.StatusOK, "")
	s.post("/", aShop)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(time.Minute); strings.Count(tree(to.drawn()), "process ") < 2 && time.Now().Before(end); <-again.C {
		tracing.Flush(t.Context())
	}
	s.stop()
	tracing.Stop()
	s.wantTree(to.drawn(), goodRun)
	t.Logf("as it was received:\n%s", tree(to.drawn()))
	if !to.from["both"] || len(to.from) != 1 {
		t.Errorf("it comes from %v", to.from)
	}
	password, _ := mock.Passwords{Token: "new"}.Password(t.Context(), provision.Store{Request: provision.Request{StoreID: "s"}})
	for _, secret := range []string{"C4NARY", password, "whsec_", "X-Orchestrator"} {
		if strings.Contains(to.text.String(), secret) {
			t.Errorf("%q is exported", secret)
		}
	}
}

func TestTracingThatIsOffLeavesRunnerAndTransportsAlone(t *testing.T) {
	var off *service.Tracing
	w, err := Open(t.Context(), common(redistest.Mini(t)), valid(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	runner := w.clusters.clusters[0].Runner.(*provision.Runner)
	if _, wrapped := runner.Releases.(tracedReleases); wrapped || runner.Around != nil || off.Cluster() != nil || off.Backend() != nil || off.Provider() != nil {
		t.Error("something is around runs although tracing is off")
	}
}

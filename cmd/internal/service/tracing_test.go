package service

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/worker/tracing"
)

func TestTracingIsOffUnlessAReceiverIsNamed(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"nothing":  {},
		"disabled": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318", "OTEL_SDK_DISABLED": "true"},
		"none":     {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:4318/v1/traces", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range variables {
				t.Setenv(variable, value)
			}
			off, err := StartTracing(t.Context(), "toy", slog.New(slog.DiscardHandler))
			if off != nil || err != nil || off.Provider() != nil || off.Tracer() != nil || off.Cluster() != nil || off.Backend() != nil {
				t.Errorf("%v, %v", off, err)
			}
			off.Flush(t.Context())
			off.Stop()
		})
	}
}

func TestAMistakeInTheVariablesOfTracesIsNamed(t *testing.T) {
	for want, variables := range map[string]map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT must be":    {"OTEL_EXPORTER_OTLP_ENDPOINT": "h:S3CRET"},
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is ": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
	} {
		t.Run(want, func(t *testing.T) {
			for variable, value := range variables {
				t.Setenv(variable, value)
			}
			_, err := StartTracing(t.Context(), "toy", slog.New(slog.DiscardHandler))
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "S3CRET") {
				t.Error(err)
			}
		})
	}
}

func TestKubeRequestsAreNamedAfterWhatTheyAreAbout(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/namespaces":                              "namespaces ",
		"/api/v1/namespaces/store-s":                      "namespaces store-s",
		"/api/v1/namespaces/store-s/finalize":             "namespaces/finalize store-s",
		"/api/v1/namespaces/store-s/secrets":              "secrets store-s",
		"/api/v1/namespaces/store-s/pods/p/portforward":   "pods/portforward store-s",
		"/apis/apps/v1/namespaces/store-s/deployments/d":  "deployments store-s",
		"/k8s/c-1/apis/apps/v1/namespaces/n/statefulsets": "statefulsets n",
		"/apis/storage.k8s.io/v1/storageclasses/fast":     "storageclasses ",
		"/apis/apps/v1":                                   "discovery ",
		"/version":                                        "discovery ",
		"/api":                                            "discovery ",
	} {
		if kind, namespace := kubeResource(path); kind+" "+namespace != want {
			t.Errorf("%s: %q in %q, want %q", path, kind, namespace, want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// send sends a request through a transport in the context.
func send(ctx context.Context, wrap func(http.RoundTripper) http.RoundTripper, url string, answer roundTrip) {
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if res, err := wrap(answer).RoundTrip(req); err == nil {
		res.Body.Close()
	}
}

func status(code int) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Body: http.NoBody}, nil
	}
}

func TestTransportsDrawRequestsOfRunsOnly(t *testing.T) {
	exported := tracetest.NewInMemoryExporter()
	on := TracingBy(sdk.NewTracerProvider(sdk.WithSyncer(exported)))
	ctx, span := on.Provider().Tracer("").Start(t.Context(), "run")
	send(t.Context(), on.Cluster(), "http://k/api/v1/pods", status(200)) // of an informer
	send(ctx, on.Cluster(), "http://k/api/v1/pods?watch=true", status(200))
	send(ctx, on.Cluster(), "http://k/api/v1/pods?fieldSelector=S3CRET", status(404))
	send(ctx, on.Cluster(), "http://k/api/v1/pods", status(403))
	send(ctx, on.Backend(), "http://b/api/stores/s/status", func(*http.Request) (*http.Response, error) { return nil, errors.New("S3CRET") })
	span.End()
	var got []string
	for _, s := range exported.GetSpans() {
		got = append(got, s.Name+": "+s.Status.Description)
		for _, a := range s.Attributes {
			if strings.Contains(a.Value.String(), "S3CRET") {
				t.Errorf("%s has %s=%s", s.Name, a.Key, a.Value.String())
			}
		}
	}
	if want := "kube GET pods: , kube GET pods: Forbidden, GET /api/stores/{id}/status: no answer, run: "; strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

// TestATraceThatIsNotSampledIsPassedOn: the backend then does not sample it either.
func TestATraceThatIsNotSampledIsPassedOn(t *testing.T) {
	on := TracingBy(sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample())))
	ctx, _ := on.Provider().Tracer("").Start(t.Context(), "run")
	var header string
	send(ctx, on.Backend(), "http://b/", func(r *http.Request) (*http.Response, error) {
		header = r.Header.Get("traceparent")
		return status(200)(r)
	})
	if !strings.HasSuffix(header, "-00") || len(header) != 55 {
		t.Errorf("traceparent is %q", header)
	}
}

func TestLinesNameTheirTraceOnce(t *testing.T) {
	var out bytes.Buffer
	log := Log{Format: "text"}.logger(&out)
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	log.InfoContext(t.Context(), "none")
	log.InfoContext(ctx, "by context")
	log.With(tracing.LogKey, "x").With("a", "b").InfoContext(ctx, "by the logger")
	lines := strings.Split(out.String(), "\n")
	if strings.Contains(lines[0], "trace_id") || !strings.Contains(lines[1], "trace_id=01000000000000000000000000000000") || strings.Count(lines[2], "trace_id") != 1 {
		t.Error(out.String())
	}
}

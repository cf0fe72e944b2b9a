package service

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/worker/tracing"
)

// Cluster is the transport around that of a Kubernetes API: a span for each request that belongs to a run, watches left out. nil where tracing
// is off.
func (t *Tracing) Cluster() func(http.RoundTripper) http.RoundTripper {
	if t == nil {
		return nil
	}
	return func(next http.RoundTripper) http.RoundTripper {
		return spans{next: next, describe: describeKube, expected: func(status int) bool {
			return status < 400 || status == http.StatusNotFound || status == http.StatusConflict // the answer to many a question
		}}
	}
}

// Backend is the transport around that of callbacks: a span for each, whose traceparent the backend gets. nil where tracing is off.
func (t *Tracing) Backend() func(http.RoundTripper) http.RoundTripper {
	if t == nil {
		return nil
	}
	return func(next http.RoundTripper) http.RoundTripper {
		return spans{next: next, describe: describeCallback, expected: func(status int) bool { return status < 400 }, inject: true}
	}
}

// spans draws the requests that belong to a span. Of a request it tells what it asks for, never its headers, query or body, and of an
// answer its status.
type spans struct {
	next     http.RoundTripper
	describe func(*http.Request) (name string, attributes []attribute.KeyValue)
	expected func(status int) bool
	inject   bool
}

// RoundTrip implements [http.RoundTripper].
func (s spans) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, parent := req.Context(), trace.SpanFromContext(req.Context())
	if !parent.SpanContext().IsValid() {
		return s.next.RoundTrip(req)
	}
	span := trace.SpanFromContext(context.Background()) // none
	if parent.IsRecording() && !strings.Contains(req.URL.RawQuery, "watch=") {
		name, attributes := s.describe(req)
		ctx, span = parent.TracerProvider().Tracer(tracing.Scope).Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(append(attributes, attribute.String("http.request.method", req.Method))...))
		defer span.End()
	}
	if s.inject {
		req = req.Clone(ctx)
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	}
	res, err := s.next.RoundTrip(req)
	switch {
	case err != nil:
		span.SetAttributes(attribute.String("error.type", unanswered(err)))
		span.SetStatus(codes.Error, "no answer")
	default:
		span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
		if !s.expected(res.StatusCode) {
			span.SetStatus(codes.Error, http.StatusText(res.StatusCode))
		}
	}
	return res, err
}

// unanswered names the kind of an error of the network, whose text may tell addresses.
func unanswered(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "unanswered"
}

func describeCallback(req *http.Request) (string, []attribute.KeyValue) {
	const path = "/api/stores/{id}/status"
	return req.Method + " " + path, []attribute.KeyValue{attribute.String("url.template", path), attribute.String("server.address", req.URL.Hostname())}
}

// describeKube names a request after the kind of object that it is about: kube PATCH deployments.
func describeKube(req *http.Request) (string, []attribute.KeyValue) {
	kind, namespace := kubeResource(req.URL.Path)
	attributes := []attribute.KeyValue{attribute.String("orchestrator.kube.resource", kind)}
	if namespace != "" {
		attributes = append(attributes, attribute.String("k8s.namespace.name", namespace))
	}
	return "kube " + req.Method + " " + kind, attributes
}

// kubeResource reads resource, with its subresource, and namespace from a path of the API, which may be below another path.
func kubeResource(path string) (resource, namespace string) {
	words := strings.Split(strings.Trim(path, "/"), "/")
	rest := []string{}
	for i, word := range words {
		if skip := map[string]int{"api": 2, "apis": 3}[word]; skip > 0 {
			rest = words[min(i+skip, len(words)):]
			break
		}
	}
	if len(rest) == 0 {
		return "discovery", ""
	}
	if rest[0] == "namespaces" && len(rest) > 1 {
		namespace = rest[1]
		if len(rest) > 2 && rest[2] != "finalize" && rest[2] != "status" {
			rest = rest[2:]
		}
	}
	if len(rest) > 2 {
		return rest[0] + "/" + rest[2], namespace
	}
	return rest[0], namespace
}

package ingest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/provision"
)

// w3c reads and writes traceparent. Of what else a caller may add, tracestate and baggage, nothing is taken.
var w3c propagation.TraceContext

func parseTrace(ctx context.Context, traceparent string) context.Context {
	return w3c.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// startSpan begins the span of a request that changes something, in the caller's trace if it has one, and returns what ends it. Reads have
// none: monitors and probes would fill the traces with them.
func (s *server) startSpan(c echo.Context) (end func()) {
	r := c.Request()
	if s.Traces == nil || actions[r.Method+" "+c.Path()] == "" {
		return func() {}
	}
	ctx := parseTrace(r.Context(), r.Header.Get("traceparent"))
	ctx, span := s.Traces.Tracer("orchestrator").Start(ctx, r.Method+" "+c.Path(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("http.route", c.Path()),
		attribute.String("orchestrator.request_id", c.Response().Header().Get(echo.HeaderXRequestID))))
	c.SetRequest(r.WithContext(ctx))
	return func() {
		status := c.Response().Status
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if info, ok := c.Get(requestInfoKey).(requestInfo); ok {
			span.SetAttributes(info.spanAttributes()...)
		}
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

func (i requestInfo) spanAttributes() (attributes []attribute.KeyValue) {
	if provision.CheckStoreID(i.storeID) == "" {
		attributes = append(attributes, attribute.String("orchestrator.store_id", i.storeID))
	}
	if i.generation != 0 {
		attributes = append(attributes, attribute.Int64("orchestrator.generation", i.generation), attribute.Bool("orchestrator.joined", i.joined))
	}
	return attributes
}

// failSpan says of what kind the problem is that a request is answered with. Its detail may quote the body.
func failSpan(ctx context.Context, err error) {
	if span := trace.SpanFromContext(ctx); err != nil && span.IsRecording() {
		span.SetAttributes(attribute.String("error.type", asProblem(err).kind.name))
	}
}

// traceOf is the trace of a request as it is recorded; "" where there is none.
func traceOf(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// linkJoined links a request to the one that it has joined: what it asked for is done in that one's trace.
func linkJoined(ctx context.Context, a provision.Accepted) {
	if a.JoinedTrace == "" {
		return
	}
	joined := parseTrace(context.Background(), a.JoinedTrace)
	trace.SpanFromContext(ctx).AddLink(trace.Link{SpanContext: trace.SpanContextFromContext(joined)})
}

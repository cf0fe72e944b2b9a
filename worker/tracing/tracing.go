// Package tracing draws the spans of a worker and of what accepts requests, by OpenTelemetry's API. It exports nothing: the provider is
// given by the binary, and without one all here does nothing and allocates nothing.
//
// A span names ids, codes and the texts that the backend gets too. It never has a password, a body, a header or a query.
package tracing

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/provision"
)

// Scope names the tracer of this service.
const Scope = "orchestrator"

// LogKey is the attribute of log lines with the id of their trace.
const LogKey = "trace_id"

// Tracer begins the spans of a worker. nil begins none.
type Tracer struct{ tracer trace.Tracer }

// New returns a tracer of the provider; nil where that is nil.
func New(provider trace.TracerProvider) *Tracer {
	if provider == nil {
		return nil
	}
	return &Tracer{provider.Tracer(Scope)}
}

// Work is what a worker takes from a queue.
type Work struct {
	StoreID    string
	Generation int64
	Cluster    string // "" is the default one
	Queue      string

	Trace string // of the request that it is done for, a W3C traceparent or ""
	First bool   // it goes on with that trace; else it has one of its own, which links to it
}

// Run begins the span of a run that was taken at begun and has got its lease now.
func (t *Tracer) Run(begun time.Time, w Work, op provision.Op, engine string, attempt int) Span {
	if t == nil {
		return Span{}
	}
	s := t.begin("process "+string(op), begun, w, attribute.String("orchestrator.op", string(op)),
		attribute.String("orchestrator.engine", engine), attribute.Int("orchestrator.attempt", attempt))
	_, lease := t.tracer.Start(s.Context(context.Background()), "lease acquire", trace.WithTimestamp(begun), trace.WithSpanKind(trace.SpanKindClient))
	lease.End()
	return s
}

// Delivery begins the span of one attempt to deliver a callback, and returns the context of what belongs to it.
func (t *Tracer) Delivery(ctx context.Context, w Work, status provision.Status, callbackID string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	s := t.begin("process callback", time.Now(), w, attribute.String("orchestrator.status", string(status)),
		attribute.String("orchestrator.callback_id", callbackID))
	return s.Context(ctx), s
}

func (t *Tracer) begin(name string, at time.Time, w Work, more ...attribute.KeyValue) Span {
	if w.Cluster == "" {
		w.Cluster = provision.DefaultCluster
	}
	attributes := append(more, attribute.String("orchestrator.store_id", w.StoreID), attribute.Int64("orchestrator.generation", w.Generation),
		attribute.String("orchestrator.cluster", w.Cluster), attribute.String("messaging.system", "asynq"),
		attribute.String("messaging.operation.type", "process"), attribute.String("messaging.destination.name", w.Queue))
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(at), trace.WithAttributes(attributes...)}
	ctx := context.Background()
	if request := parse(w.Trace); request.IsValid() && w.First {
		ctx = trace.ContextWithRemoteSpanContext(ctx, request)
	} else if request.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: request}))
	}
	_, span := t.tracer.Start(ctx, name, options...)
	return Span{span}
}

// parse reads a traceparent; one that is none is not valid.
func parse(traceparent string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	return trace.SpanContextFromContext(ctx)
}

// Span is a span, or none: the zero value.
type Span struct{ span trace.Span }

// Context returns ctx with the span.
func (s Span) Context(ctx context.Context) context.Context {
	if s.span == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.span)
}

// Log returns log with the span's trace in each line.
func (s Span) Log(log *slog.Logger) *slog.Logger {
	if s.span == nil {
		return log
	}
	return log.With(LogKey, s.span.SpanContext().TraceID().String())
}

// End ends the span. outcome is a word for how it has ended; err says why it has not succeeded.
func (s Span) End(outcome string, err error) {
	if s.span == nil {
		return
	}
	if outcome != "" {
		s.span.SetAttributes(attribute.String("orchestrator.outcome", outcome))
	}
	fail(s.span, err)
	s.span.End()
}

// fail says why a span has failed, in the words that the backend gets.
func fail(span trace.Span, err error) {
	if err != nil {
		span.SetAttributes(attribute.String("error.type", string(provision.CodeOf(err))))
		span.SetStatus(codes.Error, provision.Public(err))
	}
}

// Outcome says how the span of ctx will end.
func Outcome(ctx context.Context, outcome string) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String("orchestrator.outcome", outcome))
	}
}

// Record begins the span of a script on the records, as a part of what ctx belongs to. The function ends it.
func Record(ctx context.Context, script string) (context.Context, func(error)) {
	return child(ctx, "record ", script, trace.SpanKindClient)
}

// Send begins the span of a task that is enqueued: "provision", "delete" or "callback".
func Send(ctx context.Context, task string) (context.Context, func(error)) {
	return child(ctx, "send ", task, trace.SpanKindProducer)
}

// Call begins the span of something else that takes time, such as a use of Helm.
func Call(ctx context.Context, what string) (context.Context, func(error)) {
	return child(ctx, "", what, trace.SpanKindInternal)
}

func child(ctx context.Context, verb, name string, kind trace.SpanKind) (context.Context, func(error)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, none
	}
	ctx, span := parent.TracerProvider().Tracer(Scope).Start(ctx, verb+name, trace.WithSpanKind(kind))
	return ctx, func(err error) {
		fail(span, err)
		span.End()
	}
}

func none(error) {}

// Around is the Around of a [provision.Runner]: it draws each step.
func Around(ctx context.Context, begun provision.Step) (context.Context, func(provision.Step)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, nothing
	}
	ctx, span := parent.TracerProvider().Tracer(Scope).Start(ctx, "step "+begun.Name, trace.WithTimestamp(begun.At))
	return ctx, func(ended provision.Step) {
		if ended.State == provision.StepFailed {
			span.SetAttributes(attribute.String("error.type", string(ended.Code)))
			span.SetStatus(codes.Error, ended.Error)
		}
		span.End(trace.WithTimestamp(ended.At))
	}
}

func nothing(provision.Step) {}

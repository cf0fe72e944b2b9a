package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/worker/tracing"
)

// flushTimeout is how long a process that ends waits for the receiver of its last spans.
const flushTimeout = 5 * time.Second

// Tracing exports the spans of a process. nil exports none: tracing is off.
type Tracing struct{ provider *sdk.TracerProvider }

// StartTracing exports spans by OTLP over HTTP, as the standard variables OTEL_* say. It returns nil, and costs nothing from then on, unless
// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set: OpenTelemetry's own default is a receiver on this machine.
// Batches are dropped where the receiver does not keep up; nothing waits for it.
func StartTracing(ctx context.Context, name string, log *slog.Logger) (*Tracing, error) {
	variable, endpoint := firstSet("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" || os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil
	}
	if u, err := url.Parse(endpoint); err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%s must be an http or https URL", variable) // it may hold a password
	}
	if variable, protocol := firstSet("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol == "grpc" {
		return nil, fmt.Errorf("%s is grpc; it must be http/protobuf or http/json, the receiver's port for these is mostly 4318", variable)
	}
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("spans were not exported", "error", err) }))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.namespace", "orchestrator"),
		attribute.String("service.name", name), attribute.String("service.version", Version())), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	log.Info("traces are exported", "to", endpointOf(endpoint))
	return TracingBy(sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(described))), nil
}

// TracingBy exports by a provider.
func TracingBy(provider *sdk.TracerProvider) *Tracing { return &Tracing{provider} }

// firstSet returns the first variable that is set, and its value.
func firstSet(variables ...string) (variable, value string) {
	for _, variable := range variables {
		if value := os.Getenv(variable); value != "" {
			return variable, value
		}
	}
	return "", ""
}

// endpointOf is the host of an endpoint, without what may be secret in it.
func endpointOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return cmp.Or(u.Host, u.Opaque)
}

// Provider makes tracers; nil where tracing is off.
func (t *Tracing) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// Tracer draws what a worker does; nil where tracing is off.
func (t *Tracing) Tracer() *tracing.Tracer { return tracing.New(t.Provider()) }

// Flush exports the spans that have ended, for a process that may stand still from now on.
func (t *Tracing) Flush(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	_ = t.provider.ForceFlush(ctx) // the exporter has reported it
}

// Stop exports the last spans, and waits up to five seconds for that.
func (t *Tracing) Stop() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

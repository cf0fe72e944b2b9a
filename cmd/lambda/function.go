package main

import (
	"context"
	"encoding/json"
	"log/slog"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/lambda/internal/drain"
	"orchestrator/cmd/lambda/internal/event"
)

// function handles every event that Lambda sends.
type function struct {
	gateway event.Gateway
	drainer drain.Drainer
	tracing *service.Tracing
	log     *slog.Logger
}

// Invoke implements Lambda's handler. An error makes the invocation fail; Lambda returns its text to the caller.
func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	defer f.tracing.Flush(ctx) // between two invocations the process stands still
	kind, err := event.KindOf(payload)
	switch kind {
	case event.HTTPv1:
		return f.gateway.ServeV1(ctx, payload)
	case event.HTTPv2:
		return f.gateway.ServeV2(ctx, payload)
	case event.Drain:
		return f.drain(ctx)
	default:
		f.log.Error("event refused", "error", err)
		return nil, err
	}
}

func (f function) drain(ctx context.Context) ([]byte, error) {
	report, err := f.drainer.Drain(ctx)
	if err != nil {
		f.log.Error("drain failed", "error", err)
		return nil, err
	}
	f.log.Info("drained", "report", report)
	return json.Marshal(report)
}

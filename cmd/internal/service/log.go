package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/worker/tracing"
)

// Log configures the log: one JSON object per line on standard output by default.
type Log struct {
	Level  slog.Level `env:"ORCH_LOG_LEVEL" envDefault:"info" help:"lowest level that is logged: debug, info, warn or error"`
	Format string     `env:"ORCH_LOG_FORMAT" envDefault:"json" help:"format of log lines: json or text"`
}

// LogSettings lets a struct that embeds Log implement [Configuration].
func (l Log) LogSettings() Log { return l }

// Validate checks the format; parsing has checked the level.
func (l Log) Validate() error {
	if l.Format != "json" && l.Format != "text" {
		return fmt.Errorf("ORCH_LOG_FORMAT is %q; it must be json or text", l.Format)
	}
	return nil
}

func (l Log) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "text" {
		return slog.New(traceHandler{Handler: slog.NewTextHandler(w, options)})
	}
	return slog.New(traceHandler{Handler: slog.NewJSONHandler(w, options)})
}

// traceHandler adds the trace of a line's context to it, unless the logger has one.
type traceHandler struct {
	slog.Handler
	named bool
}

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); !h.named && span.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String(tracing.LogKey, span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	named := slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == tracing.LogKey })
	return traceHandler{h.Handler.WithAttrs(attrs), h.named || named}
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name), h.named}
}

// setDefaultLoggers sends the messages of libraries that have their own logger to log.
func setDefaultLoggers(log *slog.Logger) {
	slog.SetDefault(log)
	redis.SetLogger(redisLog{log})
}

// redisLog logs the messages of go-redis about its pool at debug level: during an outage there are many per second, and the
// callers whose commands fail report the outage anyway.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "go-redis: "+fmt.Sprintf(format, v...))
}

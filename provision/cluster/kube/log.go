package kube

import (
	"context"
	"log/slog"
	"sync"

	"k8s.io/klog/v2"
)

// debugHandler logs everything at debug level: an error of Helm or client-go is one attempt that is repeated, and the run's
// own error reports it with the store's name. It drops records below debug level: from V(8) on client-go logs the bodies of
// requests and responses, including Secrets.
type debugHandler struct{ slog.Handler }

func (q debugHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug && q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q debugHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

func (q debugHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugHandler{q.Handler.WithAttrs(attrs)}
}
func (q debugHandler) WithGroup(name string) slog.Handler {
	return debugHandler{q.Handler.WithGroup(name)}
}

// clientGoLog guards klog's logger, which belongs to the process and not to a Cluster.
var clientGoLog sync.Once

func logClientGo(log *slog.Logger) {
	clientGoLog.Do(func() { klog.SetSlogLogger(slog.New(debugHandler{log.Handler()}).With("from", "client-go")) })
}

package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"k8s.io/klog/v2"
)

// quiet lets everything through at debug level: what Helm and client-go call an error is, for us, one look at something
// that is looked at again, and the run's own error says it with the store's name. What is below debug is left out: from
// V(8) on client-go logs the bodies of requests and answers, Secrets among them.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug && q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }
func (q quiet) WithGroup(name string) slog.Handler       { return quiet{q.Handler.WithGroup(name)} }

// clientGoLog is set once: klog's logger belongs to the process, not to a Cluster.
var clientGoLog sync.Once

func logClientGo(log *slog.Logger) {
	clientGoLog.Do(func() { klog.SetSlogLogger(slog.New(quiet{log.Handler()}).With("from", "client-go")) })
}

// helmLog makes Helm's format strings log records. Helm logs names and counts, no values.
func helmLog(log *slog.Logger) func(string, ...any) {
	return func(format string, args ...any) {
		if log.Enabled(context.Background(), slog.LevelDebug) {
			log.Debug(fmt.Sprintf(format, args...), "from", "helm")
		}
	}
}

package provision

import (
	"context"
	"log/slog"
)

// AuditEvent is what a caller or operator did, or was refused to do. Every part of the service logs it in the same shape, as the message
// "audit"; it holds no secret.
type AuditEvent struct {
	Actor     string // the name of the token or of the login; "" for one that is not known
	Action    string // such as store.provision, dead-letter.replay, cluster.lose, login
	Target    string // the store, dead letter, cluster or path that it is about
	Accepted  bool
	Status    int    // of the HTTP response; 0 where there is none
	RequestID string // as in the log line of the request
	Peer      string // the address that it came from
}

// Log writes the event.
func (e AuditEvent) Log(ctx context.Context, log *slog.Logger) {
	result := "refused"
	if e.Accepted {
		result = "accepted"
	}
	attrs := []slog.Attr{slog.String("actor", e.Actor), slog.String("action", e.Action), slog.String("target", e.Target), slog.String("result", result)}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.RequestID != "" {
		attrs = append(attrs, slog.String("request_id", e.RequestID))
	}
	if e.Peer != "" {
		attrs = append(attrs, slog.String("ip", e.Peer))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
}

// Origin is where a request came from: the name of its token, its request id, and its trace, as a W3C traceparent or "".
type Origin struct{ By, RequestID, Trace string }

type originKey struct{}

// WithOrigin returns a context in which requests are accepted as coming from o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf returns where the request that is being accepted came from; the zero value for one that the service made itself.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// Package queues serves asynq's own web UI for the queues: whole, with only those fields of payloads that are known to be harmless, and changing nothing for viewers.
package queues

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/monitor/internal/login"
	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// Root is where the UI is served.
const Root = "/queues"

// New returns the web UI. The caller has to close the client; asynqmon is never closed, since that would close it too.
func New(client redis.UniversalClient, log *slog.Logger) http.Handler {
	ui := func(readOnly bool) http.Handler {
		return csp(asynqmon.New(asynqmon.Options{
			RootPath:         Root,
			RedisConnOpt:     queue.SharedClient{UniversalClient: client},
			PayloadFormatter: asynqmon.PayloadFormatterFunc(showPayload),
			ResultFormatter:  asynqmon.ResultFormatterFunc(showResult),
			ReadOnly:         readOnly,
		}))
	}
	viewer, operator := auditLog(log, ui(true)), auditLog(log, ui(false))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if login.UserOf(r.Context()).Role == login.Operator {
			operator.ServeHTTP(w, r)
			return
		}
		viewer.ServeHTTP(w, r)
	})
}

// auditLog logs what operators change or try to change.
func auditLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
			defer func() {
				provision.AuditEvent{Actor: login.UserOf(r.Context()).Name, Action: "queue." + strings.ToLower(r.Method), Target: r.URL.Path, Accepted: status.status < 300,
					Status: status.status, Peer: login.Peer(r.RemoteAddr)}.Log(r.Context(), log)
			}()
			w = status
		}
		next.ServeHTTP(w, r)
	})
}

// statusWriter notes the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

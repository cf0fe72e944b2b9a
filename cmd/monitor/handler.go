package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// maxBody is far more than the UI sends for the largest selection of tasks.
const maxBody = 1 << 20

// newHandler returns the web UI. The caller has to close the client; asynqmon is never closed, since that would close it too.
func newHandler(c config, client redis.UniversalClient, log *slog.Logger) http.Handler {
	ui := asynqmon.New(asynqmon.Options{
		RedisConnOpt:     queue.SharedClient{UniversalClient: client},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(showPayload),
		ResultFormatter:  asynqmon.ResultFormatterFunc(showResult),
		ReadOnly:         c.ReadOnly,
	})
	// Browsers send the login with requests of other sites too, so changes that come from another site are refused.
	guarded := http.NewCrossOriginProtection().Handler(auditLog(log, csp(ui)))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/", login(c.User, c.Password, log, http.MaxBytesHandler(guarded, maxBody)))
	return mux
}

// auditLog logs what operators change or try to change.
func auditLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			user, _, _ := r.BasicAuth()
			status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
			defer func() {
				provision.AuditEvent{Actor: user, Action: "queue." + strings.ToLower(r.Method), Target: r.URL.Path, Accepted: status.status < 300, Status: status.status,
					Peer: peer(r)}.Log(r.Context(), log)
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

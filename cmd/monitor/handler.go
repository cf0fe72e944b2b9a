package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

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
	mux.Handle("/", login(c.User, c.Password, http.MaxBytesHandler(guarded, maxBody)))
	return mux
}

// auditLog logs what operators change or try to change.
func auditLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			user, _, _ := r.BasicAuth()
			log.Info("change requested by an operator", "user", user, "method", r.Method, "path", r.URL.Path, "peer", r.RemoteAddr)
		}
		next.ServeHTTP(w, r)
	})
}

package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"orchestrator/worker/queue"
)

// maxBody is far above what the UI sends for the largest selection of tasks.
const maxBody = 1 << 20

// newHandler is the whole of the web UI. The client stays the caller's to close; asynqmon's own Close would close it.
func newHandler(c config, client redis.UniversalClient, log *slog.Logger) http.Handler {
	ui := asynqmon.New(asynqmon.Options{
		RedisConnOpt:     queue.SharedClient{UniversalClient: client},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(showPayload),
		ResultFormatter:  asynqmon.ResultFormatterFunc(showResult),
		ReadOnly:         c.ReadOnly,
	})
	// A browser sends the login with whatever another site makes it send, so changes from there are refused.
	guarded := http.NewCrossOriginProtection().Handler(record(log, inside(ui)))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/", login(c.User, c.Password, http.MaxBytesHandler(guarded, maxBody)))
	return mux
}

// record logs what operators change, or try to.
func record(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			user, _, _ := r.BasicAuth()
			log.Info("an operator asks for a change", "user", user, "method", r.Method, "path", r.URL.Path, "peer", r.RemoteAddr)
		}
		next.ServeHTTP(w, r)
	})
}

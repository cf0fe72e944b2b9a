// Command monitor serves asynq's web UI for the queues to operators: behind a login, read-only by default, and with only those
// fields of payloads that are known to be harmless.
package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"orchestrator/cmd/internal/service"
	"orchestrator/worker/redisconn"
)

func main() {
	os.Exit(service.Main("monitor", "serves a web UI for the queues", run))
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	client, err := c.Connect(redisconn.FailFast)
	if err != nil {
		return err
	}
	defer client.Close()
	listener, err := service.Listen("ORCH_MONITOR_ADDR", c.Addr)
	if err != nil {
		return err
	}
	log.Info("listening", "addr", listener.Addr().String(), "read_only", c.ReadOnly)
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		log.Warn("the login is sent unencrypted to this address; put TLS in front of it, or set ORCH_MONITOR_ADDR to a loopback address")
	}
	return service.Serve(ctx, server(newHandler(c, client, log)), listener)
}

func server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

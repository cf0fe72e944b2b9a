// Command monitor shows asynq's web UI for the queues to operators: behind a login, for looking only unless it is told
// otherwise, and without a word of a payload that is not on a list.
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
	os.Exit(service.Main("monitor", "shows the queues in a browser", run))
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
		log.Warn("the login travels unencrypted beyond this machine; put TLS in front, or set ORCH_MONITOR_ADDR to a loopback address")
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

// Command monitor serves the operators' web pages: what is stuck, why, and which button helps; and asynq's web UI for the queues. All of it is behind a login.
package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/internal/service"
	"orchestrator/worker/redisconn"
)

func main() {
	os.Exit(service.Main("monitor", "serves the operators' web pages", run))
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	client, err := c.Connect(redisconn.FailFast)
	if err != nil {
		return err
	}
	defer client.Close()
	handler, hub, err := newHandler(c, client, log)
	if err != nil {
		return err
	}
	listener, err := service.Listen("ORCH_MONITOR_ADDR", c.Addr)
	if err != nil {
		return err
	}
	log.Info("listening", "addr", listener.Addr().String())
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		log.Warn("the login is sent unencrypted to this address; put TLS in front of it, or set ORCH_MONITOR_ADDR to a loopback address")
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { hub.Run(ctx); return nil })
	group.Go(func() error { return service.Serve(ctx, server(handler), listener) })
	return group.Wait()
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

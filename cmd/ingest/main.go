// Command ingest serves the HTTP API: it validates, records and enqueues the backend's requests, and answers at once.
package main

import (
	"context"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/internal/ingestapp"
	"orchestrator/cmd/internal/service"
	"orchestrator/ingest"
)

func main() {
	os.Exit(service.Main("ingest", "accepts requests for stores over HTTP and enqueues them in Redis", run))
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	tracing, err := service.StartTracing(ctx, "ingest", log)
	if err != nil {
		return err
	}
	defer tracing.Stop()
	c.Tracing = tracing
	api, err := ingestapp.Open(c.Common, c.Ingest, log)
	if err != nil {
		return err
	}
	defer api.Close()
	public, err := service.Listen("ORCH_ADDR", c.Addr)
	if err != nil {
		return err
	}
	admin, err := service.Listen("ORCH_INGEST_ADMIN_ADDR", c.AdminAddr)
	if err != nil {
		return err
	}
	log.Info("listening", "addr", public.Addr().String(), "admin", admin.Addr().String())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return service.Serve(ctx, ingest.Server("", api.Handler), public) })
	group.Go(func() error { return api.CheckRedis(ctx, log) })
	group.Go(func() error { return service.ServeAdmin(ctx, service.Admin(api.Metrics, api.Check), admin) })
	return group.Wait()
}

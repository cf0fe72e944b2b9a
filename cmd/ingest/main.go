// Command ingest takes the backend's requests in: it checks, records and enqueues them, and answers at once.
package main

import (
	"context"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/internal/service"
	"orchestrator/ingest"
	"orchestrator/provision"
	"orchestrator/provision/engine"
	"orchestrator/worker/queue"
)

func main() {
	os.Exit(service.Main("ingest", "takes requests for stores over HTTP and enqueues them in Redis", run))
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	client, err := queue.Connect(c.Redis.URL, queue.ForAnswers)
	if err != nil {
		return err
	}
	defer client.Close()
	records := queue.NewRecords(client)
	intake := &queue.Intake{Records: records, Tasks: queue.NewTasks(client), Patience: c.Patience.Deadline, Log: log}
	metrics := service.Metrics()
	handler, err := ingest.New(ingest.Config{
		Tokens:   c.Tokens.Tokens,
		Policy:   provision.Policy{Engines: engine.Names(), ReservedNamespaces: c.ReservedNamespaces},
		Acceptor: intake,
		Reader:   records,
		Replayer: intake,
		Pinger:   records,
		Timeout:  c.Timeout,
		Log:      log,
		Metrics:  metrics,
	})
	if err != nil {
		return err
	}
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
	group.Go(func() error { return service.Serve(ctx, ingest.Server("", handler), public) })
	group.Go(func() error { return service.ServeAdmin(ctx, service.Admin(metrics, records.Ping), admin) })
	return group.Wait()
}

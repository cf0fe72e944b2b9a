// Command worker runs the tasks of the queues: it provisions and deletes stores on Kubernetes and sends the callbacks.
package main

import (
	"context"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/internal/workerapp"
)

func main() {
	os.Exit(service.Main("worker", "provisions and deletes stores on Kubernetes and sends the callbacks to the backend", run,
		service.Command[config]{Name: "adopt", Help: adoptHelp, Run: adopt}, service.Command[config]{Name: "check", Help: checkHelp, Run: check}))
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	tracing, err := service.StartTracing(ctx, "worker", log)
	if err != nil {
		return err
	}
	defer tracing.Stop()
	c.Tracing = tracing
	w, err := workerapp.Open(ctx, c.Common, c.Work, log)
	if err != nil {
		return err
	}
	defer w.Close()
	admin, err := service.Listen("ORCH_WORKER_ADMIN_ADDR", c.AdminAddr)
	if err != nil {
		return err
	}
	log.Info("running", "cluster", w.Cluster, "admin", admin.Addr().String())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.Run(ctx) })
	group.Go(func() error { return w.CheckRedis(ctx, log) })
	group.Go(func() error { return service.ServeAdmin(ctx, service.Admin(w.Metrics, w.Check), admin) })
	return group.Wait()
}

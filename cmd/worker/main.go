// Command worker takes stores from the queue, makes them exist or be gone, and tells the backend.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/internal/service"
	"orchestrator/worker"
	"orchestrator/worker/callback"
	"orchestrator/worker/queue"
)

func main() {
	os.Exit(service.Main("worker", "provisions and deletes stores on Kubernetes and tells the backend", run))
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	answers, server, err := connect(c.Redis.URL)
	if err != nil {
		return err
	}
	defer answers.Close()
	defer server.Close()
	sender, err := callback.NewSender(c.Backend, c.Tokens.First(), c.WebhookSecret)
	if err != nil {
		return err
	}
	stores, err := connectCluster(ctx, c, log)
	if err != nil {
		return err
	}
	metrics := service.Metrics()
	w, err := worker.New(worker.Config{
		Server:    server,
		Records:   queue.NewRecords(answers),
		Tasks:     queue.NewTasks(answers),
		Runner:    stores.runner,
		Passwords: stores.passwords,
		Memory:    stores.memory,
		Sender:    sender,
		Limits:    c.limits(),
		Slots:     worker.Slots{Provision: c.ProvisionSlots, Delete: c.DeleteSlots, Callback: c.CallbackSlots},
		Poll:      c.QueuePoll,
		Progress:  c.Progress,
		Metrics:   metrics,
		Log:       log,
	})
	if err != nil {
		return err
	}
	admin, err := service.Listen("ORCH_WORKER_ADMIN_ADDR", c.AdminAddr)
	if err != nil {
		return err
	}
	log.Info("working", "cluster", stores.name, "admin", admin.Addr().String())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.Run(ctx) })
	group.Go(func() error {
		return service.ServeAdmin(ctx, service.Admin(metrics, both(w.Check, stores.check)), admin)
	})
	return group.Wait()
}

// connect returns the client for records and the one for asynq's servers: what the one must give up the other must
// outlast.
func connect(url string) (answers, server redis.UniversalClient, err error) {
	if answers, err = queue.Connect(url, queue.ForAnswers); err != nil {
		return nil, nil, err
	}
	server, err = queue.Connect(url, queue.ForServer)
	return answers, server, err
}

func both(a, b func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := a(ctx); err != nil {
			return err
		}
		return b(ctx)
	}
}

// Package workerapp wires a worker to Redis and to its cluster, for every binary that runs stores. It links Helm and
// client-go, so that a binary that has to stay small must not import it.
package workerapp

import (
	"context"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/service"
	"orchestrator/worker"
	"orchestrator/worker/callback"
	"orchestrator/worker/redisconn"
)

// Worker is a worker with all its connections. It runs once.
type Worker struct {
	*worker.Worker
	Metrics *prometheus.Registry
	Cluster string // where it makes stores exist, as an operator would name it, or them

	answers, server redis.UniversalClient
	stores          stores
	stop            context.CancelFunc // what keeps the cluster's state up to date
}

// Open connects a worker. The cluster's state is kept up to date until ctx ends or the worker is closed.
func Open(ctx context.Context, common service.Common, c Config, log *slog.Logger) (_ *Worker, err error) {
	w := &Worker{Metrics: service.Metrics()}
	ctx, w.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	// What the one client must give up the other must outlast.
	if w.answers, err = common.Connect(redisconn.FailFast); err != nil {
		return nil, err
	}
	if w.server, err = common.Connect(redisconn.RetryToDeadline); err != nil {
		return nil, err
	}
	sender, err := callback.NewSender(c.Backend, common.First(), c.WebhookSecret)
	if err != nil {
		return nil, err
	}
	if w.stores, err = connectClusters(ctx, common, c, log); err != nil {
		return nil, err
	}
	w.Cluster = strings.Join(w.stores.names, ", ")
	w.Worker, err = worker.New(worker.Config{
		Redis:    w.answers,
		Server:   w.server,
		Clusters: w.stores.clusters,
		Sender:   sender,
		Limits:   c.limits(common.Deadline),
		Slots:    worker.Slots{Provision: c.ProvisionSlots, Delete: c.DeleteSlots, Callback: c.CallbackSlots},
		Poll:     c.QueuePoll,
		Progress: c.Progress,
		Metrics:  w.Metrics,
		Log:      log,
	})
	return w, err
}

// CheckRedis warns of settings by which Redis could lose what is accepted; see [redisconn.CheckDurability].
func (w *Worker) CheckRedis(ctx context.Context, log *slog.Logger) error {
	return redisconn.CheckDurability(ctx, w.answers, log)
}

// Close gives everything back, and waits for what Open has started.
func (w *Worker) Close() {
	w.stop()
	w.stores.close()
	for _, client := range []redis.UniversalClient{w.answers, w.server} {
		if client != nil {
			_ = client.Close()
		}
	}
}

// Package workerapp wires a worker to Redis, to its clusters and to the backend, for every binary that runs one. It links Helm
// and client-go, so a binary that has to stay small must not import it.
package workerapp

import (
	"context"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/service"
	"orchestrator/provision/engine"
	"orchestrator/worker"
	"orchestrator/worker/callback"
	"orchestrator/worker/record"
	"orchestrator/worker/redisconn"
)

// Worker is a worker with all its connections. It can run once.
type Worker struct {
	*worker.Worker
	Metrics *prometheus.Registry
	Cluster string // the served clusters, as an operator would name them

	records, server redis.UniversalClient
	clusters        clusterSet
	stop            context.CancelFunc // ends the watches of the clusters
}

// Open wires a worker. It sends no request to Redis, and the clusters need not answer. Its watches of the clusters run until ctx
// ends or the worker is closed.
func Open(ctx context.Context, common service.Common, c Config, log *slog.Logger) (_ *Worker, err error) {
	w := &Worker{Metrics: service.Metrics("worker")}
	ctx, w.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	// Two clients: records fail fast during an outage of Redis, the outcomes of tasks are retried until it ends.
	if w.records, err = common.Connect(redisconn.FailFast); err != nil {
		return nil, err
	}
	if w.server, err = common.Connect(redisconn.RetryToDeadline); err != nil {
		return nil, err
	}
	sender, err := callback.NewSender(c.Backend, common.First(), c.WebhookSecret, c.backendTLS())
	if err != nil {
		return nil, err
	}
	c.Wrap = common.Tracing.Cluster()
	if w.clusters, err = connectClusters(ctx, common, c, c.installation(w.records), newObservers(w.Metrics), log); err != nil {
		return nil, err
	}
	c.warnOfAGeneratedName(log)
	w.Cluster = strings.Join(w.clusters.names, ", ")
	w.Worker, err = worker.New(worker.Config{
		Redis:        w.records,
		Server:       w.server,
		Clusters:     w.clusters.clusters,
		Sender:       sender.Through(common.Tracing.Backend()),
		Limits:       c.limits(common.Deadline),
		Slots:        worker.Slots{Provision: c.ProvisionSlots, Delete: c.DeleteSlots, Callback: c.CallbackSlots, Maintenance: c.MaintenanceSlots},
		Audit:        c.audit(),
		Backups:      c.backups(),
		RestoreTests: c.restoreTests(),
		Poll:         c.QueuePoll,
		Progress:     c.Progress,
		Engines:      engine.Names(),
		Metrics:      w.Metrics,
		Tracer:       common.Tracing.Tracer(),
		Log:          log,
	})
	return w, err
}

// CheckRedis warns of settings with which Redis could lose accepted requests; see [redisconn.CheckDurability]. Rights that
// its user lacks are an error: [record.CheckAccess].
func (w *Worker) CheckRedis(ctx context.Context, log *slog.Logger) error {
	if err := redisconn.CheckDurability(ctx, w.records, log); err != nil {
		return err
	}
	return record.CheckAccess(ctx, w.records)
}

// Close closes all connections and waits for the goroutines that Open has started.
func (w *Worker) Close() {
	w.stop()
	w.clusters.close()
	for _, client := range []redis.UniversalClient{w.records, w.server} {
		if client != nil {
			_ = client.Close()
		}
	}
}

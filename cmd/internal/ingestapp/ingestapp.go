// Package ingestapp wires the HTTP API to Redis, for every binary that serves it. It links no Kubernetes.
package ingestapp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/service"
	"orchestrator/ingest"
	"orchestrator/provision"
	"orchestrator/provision/engine"
	"orchestrator/worker/intake"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/redisconn"
)

// Config is what the API is told besides [service.Common].
type Config struct {
	ReservedNamespaces []string        `env:"ORCH_RESERVED_NAMESPACES" help:"namespaces refused besides default and kube-*, comma-separated"`
	Rules              provision.Rules `env:"ORCH_PLACEMENT" help:"FIELD=VALUE:CLUSTER[|CLUSTER], comma-separated: where new stores go that name no cluster; FIELD is engine, country, currency or creator_id; the first that fits decides"`
	Timeout            time.Duration   `env:"ORCH_ACCEPT_TIMEOUT" envDefault:"3s" help:"time for Redis to answer one request; then 503"`
}

// Validate reports a timeout that the HTTP server could not keep.
func (c Config) Validate() error {
	if c.Timeout < 100*time.Millisecond || c.Timeout > 20*time.Second {
		return fmt.Errorf("ORCH_ACCEPT_TIMEOUT is %s; it must be between 100ms and 20s", c.Timeout)
	}
	return nil
}

// API is the HTTP API on its Redis.
type API struct {
	Handler http.Handler
	Metrics *prometheus.Registry
	client  redis.UniversalClient
	records *record.Records
}

// Open makes the API. It asks no network: a Redis that cannot be reached is every request's own trouble.
func Open(common service.Common, c Config, log *slog.Logger) (*API, error) {
	client, err := common.Connect(redisconn.FailFast)
	if err != nil {
		return nil, err
	}
	placement := provision.Placement{Clusters: common.Clusters.Clusters, Rules: c.Rules}
	if err := placement.Validate(); err != nil {
		client.Close()
		return nil, fmt.Errorf("ORCH_PLACEMENT: %w", err)
	}
	records := record.New(client, record.Options{Placement: placement})
	intake := &intake.Intake{Records: records, Tasks: queue.NewTasks(client), GenerationTimeout: common.Deadline, Log: log}
	metrics := service.Metrics()
	handler, err := ingest.New(ingest.Config{
		Tokens:   common.Tokens.Tokens,
		Policy:   provision.Policy{Engines: engine.Names(), ReservedNamespaces: c.ReservedNamespaces, Clusters: placement.Clusters.Names()},
		Acceptor: intake,
		Reader:   reader{records.Requests, records.Callbacks},
		Replayer: intake,
		Pinger:   records.Requests,
		Timeout:  c.Timeout,
		Log:      log,
		Metrics:  metrics,
	})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &API{Handler: handler, Metrics: metrics, client: client, records: records}, nil
}

// Check reports whether requests can be accepted now.
func (a *API) Check(ctx context.Context) error { return a.records.Requests.Ping(ctx) }

// CheckRedis warns of settings by which Redis could lose what is accepted; see [redisconn.CheckDurability].
func (a *API) CheckRedis(ctx context.Context, log *slog.Logger) error {
	return redisconn.CheckDurability(ctx, a.client, log)
}

// Close gives the connections back.
func (a *API) Close() { a.client.Close() }

// reader shows what is on record: stores, and the dead letters among the callbacks.
type reader struct {
	*record.Requests
	*record.Callbacks
}

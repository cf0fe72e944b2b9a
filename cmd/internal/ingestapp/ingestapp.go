// Package ingestapp wires the HTTP API to Redis, for every binary that serves it. It links neither Helm nor client-go.
package ingestapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/service"
	"orchestrator/ingest"
	"orchestrator/provision"
	"orchestrator/provision/engine"
	"orchestrator/worker/gauges"
	"orchestrator/worker/intake"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/redisconn"
)

// Config is the configuration of the HTTP API besides [service.Common].
type Config struct {
	ReservedNamespaces []string        `env:"ORCH_RESERVED_NAMESPACES" help:"namespaces that requests must not name, besides default and kube-*; separated by commas"`
	ReservedHosts      []string        `env:"ORCH_RESERVED_HOSTS" help:"hosts that no store may have, besides the cluster's own; separated by commas; a dot in front of one means all hosts below it"`
	HostSuffixes       []string        `env:"ORCH_ALLOWED_HOST_SUFFIXES" help:"domains that the hosts of stores must be below; separated by commas; empty: any host"`
	TokensFile         string          `env:"ORCH_TOKENS_FILE" help:"file with a line for each named token: name, scopes (read, write, operate) separated by commas, SHA-256; see orchestrator token. Once one has operate, ORCHESTRATOR_TOKEN has it no more"`
	Rules              provision.Rules `env:"ORCH_PLACEMENT" help:"list of FIELD=VALUE:CLUSTER[|CLUSTER], separated by commas: the clusters of new stores that name none; FIELD is engine, country, currency or creator_id; the first rule that matches decides"`
	Timeout            time.Duration   `env:"ORCH_ACCEPT_TIMEOUT" envDefault:"5s" help:"time after which a request is answered with 503 if Redis has not answered, or if the records are still incomplete"`

	StoresPerCreator int `env:"ORCH_STORES_PER_CREATOR" envDefault:"0" help:"stores that one creator_id may have, retained data included; a new one beyond is refused with 429; 0: any number; orchestrator quota sets others for single creators"`

	DeleteGrace time.Duration `env:"ORCH_DELETE_GRACE" envDefault:"0" help:"a delete that says nothing of grace stops the shop at once and deletes the store that much later, such as 168h; the backend is told DELETED then; 0: deletes are carried out at once"`

	NoMaintenance bool // not from the environment: the workers of this installation do no maintenance, so that there can be no rollout
}

// placement combines the rules with the clusters that they may name.
func (c Config) placement(clusters provision.Clusters) provision.Placement {
	return provision.Placement{Clusters: clusters, Rules: c.Rules}
}

// Validate reports all mistakes at once, by the names of the variables. clusters are those of [service.Common].
func (c Config) Validate(clusters provision.Clusters) error {
	var timeout error
	if c.Timeout < 100*time.Millisecond || c.Timeout > 20*time.Second { // the HTTP server waits longer than that
		timeout = fmt.Errorf("ORCH_ACCEPT_TIMEOUT is %s; it must be between 100ms and 20s", c.Timeout)
	}
	placement := c.placement(clusters).Validate()
	if placement != nil {
		placement = fmt.Errorf("ORCH_PLACEMENT: %w", placement)
	}
	var quota error
	if c.StoresPerCreator < 0 {
		quota = fmt.Errorf("ORCH_STORES_PER_CREATOR is %d; it must not be negative (0 means any number)", c.StoresPerCreator)
	}
	var grace error
	if c.DeleteGrace != 0 {
		grace = ingest.CheckGrace(c.DeleteGrace)
	}
	if grace != nil {
		grace = fmt.Errorf("ORCH_DELETE_GRACE is %s; %w, or 0", c.DeleteGrace, grace)
	}
	_, tokens := c.namedTokens()
	return errors.Join(timeout, placement, c.validateHosts(), quota, grace, tokens)
}

// namedTokens reads ORCH_TOKENS_FILE.
func (c Config) namedTokens() ([]ingest.NamedToken, error) {
	if c.TokensFile == "" {
		return nil, nil
	}
	file, err := os.Open(c.TokensFile)
	if err != nil {
		return nil, fmt.Errorf("ORCH_TOKENS_FILE: %w", err)
	}
	defer file.Close()
	tokens, err := ingest.ParseTokens(file)
	if err != nil {
		return nil, fmt.Errorf("ORCH_TOKENS_FILE: %s: %w", c.TokensFile, err)
	}
	return tokens, nil
}

func (c Config) validateHosts() error {
	var reserved, allowed error
	if err := (provision.Policy{ReservedHosts: c.ReservedHosts}).CheckHostRules(); err != nil {
		reserved = fmt.Errorf("ORCH_RESERVED_HOSTS: %w", err)
	}
	if err := (provision.Policy{AllowedHostSuffixes: c.HostSuffixes}).CheckHostRules(); err != nil {
		allowed = fmt.Errorf("ORCH_ALLOWED_HOST_SUFFIXES: %w", err)
	}
	return errors.Join(reserved, allowed)
}

// policy is what requests are validated by.
func (c Config) policy(clusters provision.Clusters) provision.Policy {
	return provision.Policy{Engines: engine.Names(), ReservedNamespaces: c.ReservedNamespaces, ReservedHosts: c.ReservedHosts,
		AllowedHostSuffixes: c.HostSuffixes, Clusters: clusters.Names()}
}

// API is the HTTP API with its connection to Redis.
type API struct {
	Handler http.Handler
	Metrics *prometheus.Registry
	client  redis.UniversalClient
	records *record.Records
}

// Open wires the API. It opens no connection: requests are answered with 503 while Redis is unavailable.
func Open(common service.Common, c Config, log *slog.Logger) (*API, error) {
	named, err := c.namedTokens()
	if err != nil {
		return nil, err
	}
	client, err := common.Connect(redisconn.FailFast)
	if err != nil {
		return nil, err
	}
	placement := c.placement(common.Clusters.Clusters)
	records := record.New(client, record.Options{Placement: placement, StoresPerCreator: c.StoresPerCreator})
	intake := &intake.Intake{Records: records, Tasks: queue.NewTasks(client), GenerationTimeout: common.Deadline, Log: log}
	metrics := service.Metrics("ingest")
	metrics.MustRegister(gauges.Redis(records.Stats, "ingest", log), gauges.Statistics(records.Stats, engine.Names(), clusterNames(placement.Clusters), log))
	handler, err := ingest.New(ingest.Config{
		Tokens: common.Tokens.Tokens, NamedTokens: named,
		Policy:    c.policy(placement.Clusters),
		Acceptor:  intake,
		Repeater:  intake,
		Rotator:   intake,
		Restorer:  intake,
		Backups:   records.Backups,
		Protector: records.Repeats,
		Reader:    reader{records.Requests, records.Callbacks},
		Replayer:  intake,
		Later:     intake, DeleteGrace: c.DeleteGrace,
		Clusters: records.Requests,
		Holds:    records.Fleet,
		Findings: records.Fleet,
		Counter:  records.Fleet,
		Events:   records.Events,
		Rollouts: records.Rollouts, Maintained: !c.NoMaintenance,
		Quotas:    records.Fleet,
		Readiness: records.Requests,
		Timeout:   c.Timeout,
		Log:       log,
		Metrics:   metrics,
		Traces:    common.Tracing.Provider(),
	})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &API{Handler: handler, Metrics: metrics, client: client, records: records}, nil
}

// clusterNames are all clusters of the installation, also those that no worker serves.
func clusterNames(clusters provision.Clusters) []string {
	if len(clusters) == 0 {
		return []string{provision.DefaultCluster}
	}
	return clusters.Names()
}

// Check returns nil if requests can be accepted now.
func (a *API) Check(ctx context.Context) error { return a.records.Requests.Ready(ctx) }

// CheckRedis warns of settings with which Redis could lose accepted requests; see [redisconn.CheckDurability]. Rights that
// its user lacks are an error: [record.CheckAccess].
func (a *API) CheckRedis(ctx context.Context, log *slog.Logger) error {
	if err := redisconn.CheckDurability(ctx, a.client, log); err != nil {
		return err
	}
	return record.CheckAccess(ctx, a.client)
}

// Close closes the connections to Redis.
func (a *API) Close() { a.client.Close() }

// reader shows what is on record: stores, and the dead letters among the callbacks.
type reader struct {
	*record.Requests
	*record.Callbacks
}

// Stores implements [ingest.Reader].
func (r reader) Stores(ctx context.Context, f provision.StoreFilter, cursor string, limit int) (provision.Page, error) {
	return r.Find(ctx, f, cursor, limit)
}

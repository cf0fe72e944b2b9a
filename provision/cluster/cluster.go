package cluster

import (
	"context"
	"log/slog"
	"net/http"

	"golang.org/x/sync/semaphore"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"orchestrator/provision"
)

// Cluster is a connection to one Kubernetes cluster. It is safe for concurrent use.
type Cluster struct {
	log       *slog.Logger
	rest      *rest.Config // as loaded; port-forwards open connections of their own with it
	conn      *connection
	client    kubernetes.Interface // every write is fenced by its context
	writes    *semaphore.Weighted
	discovery *discoveryCache
	charts    *chartStore
	workloads *workloadCache
	rbac      roleBinder
}

// Connect prepares a Cluster without network requests, so its API server need not be reachable yet.
func Connect(cfg Config) (*Cluster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	logClientGo(cfg.Log) // before client-go logs anything: its logger must not be changed while it is in use
	loaded, err := cfg.restConfig()
	if err != nil {
		return nil, err
	}
	return connect(cfg, loaded)
}

func connect(cfg Config, loaded *rest.Config) (*Cluster, error) {
	logClientGo(cfg.Log)
	if cfg.Name != "" {
		cfg.Log = cfg.Log.With("cluster", cfg.Name)
	}
	loaded = rest.CopyConfig(loaded)
	loaded.UserAgent, loaded.QPS = Manager, -1
	conn, err := newConnection(loaded)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfigAndClient(conn.typedConfig(), &http.Client{Transport: conn.guard})
	if err != nil {
		return nil, err
	}
	disco, err := newDiscoveryCache(conn)
	if err != nil {
		return nil, err
	}
	return &Cluster{
		log:       cfg.Log,
		rest:      loaded,
		conn:      conn,
		client:    client,
		writes:    semaphore.NewWeighted(int64(cfg.Writes)),
		discovery: disco,
		charts:    &chartStore{fsys: cfg.Charts, env: cfg.Env, values: cfg.Values},
		workloads: newWorkloadCache(client, cfg.Log),
		rbac:      roleBinder{role: cfg.StoreRole},
	}, nil
}

// Start runs the informers until ctx ends and returns once they have listed the cluster's state. It may be called once,
// and no run can wait for readiness before.
func (c *Cluster) Start(ctx context.Context) error { return c.workloads.start(ctx) }

// Close waits until the informers have stopped; cancel the context of Start first.
func (c *Cluster) Close() { c.workloads.stop() }

// Check returns nil if the API server answers and the informers have listed the cluster's state.
func (c *Cluster) Check(ctx context.Context) error {
	if !c.workloads.synced() {
		return provision.Errorf(provision.CodeUnavailable, "the cluster's state has not been read yet")
	}
	_, err := c.client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	return wrapError(err, "read the cluster's version")
}

// Fill sets the fields of the runner that the cluster implements.
func (c *Cluster) Fill(r *provision.Runner) {
	r.Namespaces, r.Credentials, r.Releases = c.Namespaces(), c.Credentials(), c.Releases()
	r.Readiness, r.Volumes, r.Shops = c.Readiness(), c.Volumes(), c.Shops()
}

// write runs one write, or a few that belong together, in a write slot. It does not start after ctx has ended.
func (c *Cluster) write(ctx context.Context, do func() error) error {
	if err := c.writes.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer c.writes.Release(1)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return do()
}

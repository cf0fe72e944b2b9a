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
	log    *slog.Logger
	rest   *rest.Config // as loaded, for port-forwards, which have connections of their own
	conn   *connection
	client kubernetes.Interface // its requests are fenced by the context that they carry
	writes *semaphore.Weighted
	disco  *discovered
	charts *chartStore
	watch  *informed
	rights rights
}

// Connect prepares everything and asks no network: a Cluster may be made before its API server can be reached.
func Connect(cfg Config) (*Cluster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	logClientGo(cfg.Log) // before client-go says its first word: its logger may not be changed while it is used
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
	disco, err := newDiscovered(conn)
	if err != nil {
		return nil, err
	}
	return &Cluster{
		log:    cfg.Log,
		rest:   loaded,
		conn:   conn,
		client: client,
		writes: semaphore.NewWeighted(int64(cfg.Writes)),
		disco:  disco,
		charts: &chartStore{fsys: cfg.Charts, env: cfg.Env, values: cfg.Values},
		watch:  newInformed(client, cfg.Log),
		rights: rights{role: cfg.StoreRole},
	}, nil
}

// Start runs the informers until ctx ends and returns when they have seen the cluster. It may be called once.
// Nothing waits for readiness before.
func (c *Cluster) Start(ctx context.Context) error { return c.watch.start(ctx) }

// Close waits until the informers have ended, which the end of Start's context makes them do.
func (c *Cluster) Close() { c.watch.stop() }

// Check returns nil when the API server answers and the informers have seen the cluster.
func (c *Cluster) Check(ctx context.Context) error {
	if !c.watch.synced() {
		return provision.Errorf(provision.CodeUnavailable, "the cluster's state has not been read yet")
	}
	_, err := c.client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	return failure(err, "ask for the cluster's version")
}

// Fill sets everything of the runner that is the cluster's.
func (c *Cluster) Fill(r *provision.Runner) {
	r.Namespaces, r.Credentials, r.Releases = c.Namespaces(), c.Credentials(), c.Releases()
	r.Readiness, r.Volumes, r.Shops = c.Readiness(), c.Volumes(), c.Shops()
}

// write runs one write, or a few that belong together, in a slot. It is not begun when ctx has ended.
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

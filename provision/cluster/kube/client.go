package kube

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"orchestrator/provision"
)

// Manager is the orchestrator's name as the manager of objects and of their fields, and as a client of the API server.
const Manager = "orchestrator"

// Client is a connection to one API server that all runs of the process share. It is safe for concurrent use.
type Client struct {
	Clientset kubernetes.Interface                    // every write is fenced by its context
	Discovery discovery.CachedDiscoveryInterface      // the API server's kinds, cached until Mapper is reset
	Mapper    *restmapper.DeferredDiscoveryRESTMapper // over Discovery
	Log       *slog.Logger

	rest   *rest.Config // as loaded; port-forwards open connections of their own with it
	conn   *connection
	writes *writeSlots

	observer Observer
}

// Connect prepares a Client without network requests, so its API server need not be reachable yet.
func Connect(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	logClientGo(cfg.Log) // before client-go logs anything: its logger must not be changed while it is in use
	server, err := cfg.restConfig()
	if err != nil {
		return nil, err
	}
	return New(cfg, server)
}

// New is [Connect] for a server that the caller has configured; what cfg says about the server is ignored.
func New(cfg Config, server *rest.Config) (*Client, error) {
	cfg = cfg.withDefaults()
	logClientGo(cfg.Log)
	if cfg.Name != "" {
		cfg.Log = cfg.Log.With("cluster", cfg.Name)
	}
	server = rest.CopyConfig(server)
	server.UserAgent, server.QPS = Manager, -1
	writes := newWriteSlots(newWriteLimit(cfg.Writes), cfg.Observer)
	conn, err := newConnection(server, cfg.Observer, writes, cfg.Wrap)
	if err != nil {
		return nil, err
	}
	clientset, err := kubernetes.NewForConfigAndClient(conn.typedConfig(), &http.Client{Transport: conn.guard})
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the client of the API server: %w", err)
	}
	kinds, err := discovery.NewDiscoveryClientForConfig(conn.config(nil))
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the discovery of API kinds: %w", err)
	}
	cached := memory.NewMemCacheClient(kinds)
	return &Client{
		Clientset: clientset,
		Discovery: cached,
		Mapper:    restmapper.NewDeferredDiscoveryRESTMapper(cached),
		Log:       cfg.Log,
		rest:      server,
		conn:      conn,
		writes:    writes,
		observer:  cfg.Observer,
	}, nil
}

// RESTConfig returns a new configuration of the shared connection for a client that the caller makes. Its requests pass
// wrap, if that is not nil, and are fenced by their contexts like all others.
func (c *Client) RESTConfig(wrap func(http.RoundTripper) http.RoundTripper) *rest.Config {
	return c.conn.config(wrap)
}

// Ping returns nil if the API server answers.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.Clientset.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	return WrapError(err, "read the cluster's version")
}

type turnKey struct{}

// Turn implements [provision.Turns]: it is [Client.Write] for a part of a run whose writes need no slots of their own.
func (c *Client) Turn(ctx context.Context, do func(context.Context) error) error {
	return c.Write(ctx, func() error { return do(context.WithValue(ctx, turnKey{}, true)) })
}

// Write runs one write, or a few that belong together, in a write slot, which the class and age of ctx's writes wait for ([provision.WithWrites]). It does
// not start after ctx has ended. In a turn, it has the slot already.
func (c *Client) Write(ctx context.Context, do func() error) error {
	if ctx.Value(turnKey{}) == nil {
		class := provision.WritesOf(ctx)
		if err := c.writes.acquire(ctx, class); err != nil {
			return err
		}
		defer c.writes.release(class.Class)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return do()
}

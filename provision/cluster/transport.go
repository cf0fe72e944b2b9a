package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"orchestrator/provision"
)

// requestTimeout bounds one request that is not a watch. The API server gives up on its own after 60 s.
const requestTimeout = 30 * time.Second

// connection is the one pool of connections to the API server, with login and user agent, that all clients share.
type connection struct {
	host  string // scheme, host and port, and a path where the API server is behind one
	guard http.RoundTripper
}

func newConnection(cfg *rest.Config) (*connection, error) {
	pool, err := rest.TransportFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("the connection to the API server cannot be set up: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("the API server's address %q is not one: %w", cfg.Host, err)
	}
	return &connection{host: host.String(), guard: guard{pool}}, nil
}

// config is a fresh rest.Config over the pool. Each client needs its own, since client-go writes into it. There is no
// limit of queries per second: the API server's priority and fairness is the judge of that, and Writes is our limit.
// It asks for JSON, in which refusals can be read on their way to Helm.
func (c *connection) config(wrap func(http.RoundTripper) http.RoundTripper) *rest.Config {
	cfg := &rest.Config{Host: c.host, Transport: c.guard, UserAgent: Manager, QPS: -1, WarningHandler: rest.NoWarnings{}}
	cfg.ContentType, cfg.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	if wrap != nil {
		cfg.Wrap(wrap)
	}
	return cfg
}

// typedConfig asks for the compact encoding in answers; requests stay JSON, which people can read in an audit log.
func (c *connection) typedConfig() *rest.Config {
	cfg := c.config(nil)
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return cfg
}

// guard refuses a request that changes something once the fence of the run it belongs to is shut, and ends a request
// that is not a watch after requestTimeout. The run is found in the request's context.
type guard struct{ next http.RoundTripper }

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if mutates(req.Method) {
		if err := fenced(req.Context()); err != nil {
			closeBody(req)
			return nil, err
		}
	}
	if req.URL.Query().Get("watch") == "true" {
		return g.next.RoundTrip(req)
	}
	ctx, cancel := context.WithTimeout(req.Context(), requestTimeout)
	res, err := g.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	res.Body = &bodyWithEnd{res.Body, cancel}
	return res, nil
}

// fenced returns an error when the run of ctx may no longer change anything.
func fenced(ctx context.Context) error {
	if err := provision.FenceOf(ctx).Check(); err != nil {
		return provision.Wrap(provision.CodeUnavailable, err, "the lease on the store was lost; another worker carries on")
	}
	return nil
}

func mutates(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "":
		return false
	}
	return true
}

// closeBody is a RoundTripper's duty when it does not send the request.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

type bodyWithEnd struct {
	io.ReadCloser
	end context.CancelFunc
}

func (b *bodyWithEnd) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

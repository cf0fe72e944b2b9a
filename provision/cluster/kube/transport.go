package kube

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

// requestTimeout bounds one request that is not a watch. The API server itself gives up after 60 s.
const requestTimeout = 30 * time.Second

// connection is the pool of authenticated connections to the API server that all clients share.
type connection struct {
	host  string // scheme, host and port, and the path if the API server is below one
	guard http.RoundTripper
}

func newConnection(cfg *rest.Config, observer Observer, writes *writeSlots, wrap func(http.RoundTripper) http.RoundTripper) (*connection, error) {
	pool, err := rest.TransportFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot set up the connection to the API server: %w", err)
	}
	if wrap != nil {
		pool = wrap(pool)
	}
	host, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("the API server's address %q is invalid: %w", cfg.Host, err)
	}
	return &connection{host: host.String(), guard: guard{observed{pool, observer, writes}}}, nil
}

// config returns a new rest.Config over the pool. Each client needs its own, since client-go writes into it. It has no
// limit of queries per second: that is up to the API server's priority and fairness, and to Config.Writes. It asks for
// JSON, so that error responses can be read on their way to Helm.
func (c *connection) config(wrap func(http.RoundTripper) http.RoundTripper) *rest.Config {
	cfg := &rest.Config{Host: c.host, Transport: c.guard, UserAgent: Manager, QPS: -1, WarningHandler: rest.NoWarnings{}}
	cfg.ContentType, cfg.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	if wrap != nil {
		cfg.Wrap(wrap)
	}
	return cfg
}

// typedConfig asks for protobuf responses; requests stay JSON, which is readable in an audit log.
func (c *connection) typedConfig() *rest.Config {
	cfg := c.config(nil)
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return cfg
}

// guard refuses a write once the fence of its run is closed, and ends a request that is not a watch after requestTimeout.
// The run's fence is in the request's context.
type guard struct{ next http.RoundTripper }

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if mutates(req.Method) {
		if err := CheckFence(req.Context()); err != nil {
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
	res.Body = &cancelOnClose{res.Body, cancel}
	return res, nil
}

// CheckFence returns an error if the run of ctx is no longer allowed to write.
func CheckFence(ctx context.Context) error {
	if err := provision.FenceOf(ctx).Check(); err != nil {
		return provision.Wrap(provision.CodeUnavailable, err, "the lease on the store was lost; another worker continues")
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

// closeBody closes the body of a request that is not sent, as http.RoundTripper requires.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

type cancelOnClose struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *cancelOnClose) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
)

// Acceptor records a valid request and hands it to the workers.
//
// Its errors are [provision.Error]s, and the caller of the API reads their messages. CodeConflict (409) names the field and
// what holds it; CodeInvalid (422) says what cannot be carried out; CodeBusy and CodeQuota (429) mean that the caller may
// retry later; CodeUnavailable (503) leaves open whether the request was recorded. Any other error becomes a 500 that does
// not mention its cause. Accept returns soon after ctx has ended.
type Acceptor interface {
	Accept(context.Context, provision.Request) (provision.Accepted, error)
}

// Replayer sends a dead letter again. Its errors follow the rules of [Acceptor]. It is idempotent.
type Replayer interface {
	Replay(ctx context.Context, callbackID string) (provision.ReplayResult, error)
}

// Reader returns the recorded state of stores and the callbacks that the backend refused. Its errors follow the rules of
// [Acceptor]; a cursor that it did not return is CodeInvalid.
type Reader interface {
	Store(ctx context.Context, id string) (provision.State, bool, error)
	Stores(ctx context.Context, cursor string, limit int) (provision.Page, error)
	DeadLetters(ctx context.Context, cursor string, limit int) (provision.DeadLetters, error)
}

// Pinger returns nil if a request would be accepted now.
type Pinger interface {
	Ping(context.Context) error
}

// Config configures a handler. Tokens, an engine in Policy, Acceptor, Reader, Replayer and Pinger are required.
type Config struct {
	Tokens   []string // all are accepted, so that one can be rotated without downtime
	Policy   provision.Policy
	Acceptor Acceptor
	Reader   Reader
	Replayer Replayer
	Pinger   Pinger

	Timeout time.Duration         // for Acceptor, Reader, Replayer and Pinger to answer; 0 means 3 s
	MaxBody int64                 // bytes; 0 means 64 KiB
	Log     *slog.Logger          // nil means slog.Default
	Metrics prometheus.Registerer // nil disables metrics
}

type server struct {
	Config
	tokens  tokens
	seconds *prometheus.HistogramVec
}

// New returns the handler of the public listener. It does not serve metrics: expose those of Config.Metrics on a listener
// that only operators reach.
func New(config Config) (*echo.Echo, error) {
	accepted, err := newTokens(config.Tokens)
	s := &server{Config: config.withDefaults(), tokens: accepted, seconds: newSeconds()}
	err = errors.Join(err, config.missing())
	if err == nil && config.Metrics != nil {
		err = config.Metrics.Register(s.seconds)
	}
	if err != nil {
		return nil, err
	}
	return s.routes(), nil
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	if c.MaxBody == 0 {
		c.MaxBody = 64 << 10
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func (c Config) missing() error {
	switch {
	case c.Acceptor == nil || c.Reader == nil || c.Replayer == nil || c.Pinger == nil:
		return errors.New("ingest: Acceptor, Reader, Replayer and Pinger are required")
	case len(c.Policy.Engines) == 0:
		return errors.New("ingest: no engine is registered, so every request would be refused")
	}
	return nil
}

func (s *server) routes() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.answerError
	// The log shows the address of the peer. Echo's default trusts X-Forwarded-For, which any client can set.
	e.IPExtractor = echo.ExtractIPDirect()
	e.Use(s.observe, secure)

	read := []string{http.MethodGet, http.MethodHead}
	e.Match(read, "/healthz", s.healthz)
	e.Match(read, "/readyz", s.readyz)
	e.Match(read, "/openapi.yaml", openAPI)

	e.POST("/", s.post, s.authorize)
	e.POST("/orchestrate", s.post, s.authorize)
	e.DELETE("/stores/:store_id", s.remove, s.authorize)
	e.Match(read, "/stores/:store_id", s.show, s.authorize)
	e.Match(read, "/stores", s.list, s.authorize)
	e.Match(read, "/dead-letters", s.letters, s.authorize)
	e.POST("/dead-letters/:id/replay", s.replay, s.authorize)
	return e
}

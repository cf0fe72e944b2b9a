package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/provision"
)

// Acceptor records a valid request and hands it to the workers.
//
// Its errors are [provision.Error]s, and the caller of the API reads their messages. CodeConflict (409) names the field and
// what holds it; CodeInvalid (422) says what cannot be carried out; CodeQuota (429) that the creator has as many stores as it may have; CodeUnavailable (503) leaves open whether the request was recorded. Any other error becomes a 500 that does
// not mention its cause. Accept returns soon after ctx has ended. AcceptIf accepts while the generation is the newest of the store;
// its error has CodeSuperseded (412) otherwise. A request that is equal to the newest one joins it all the same.
type Acceptor interface {
	Accept(context.Context, provision.Request) (provision.Accepted, error)
	AcceptIf(ctx context.Context, r provision.Request, generation int64) (provision.Accepted, error)
}

// Repeater repeats what the record of a store asks for, stops the shop and starts it again, and gives up what has not begun. Its errors follow the rules of [Acceptor];
// found is false where there is no record. A generation that is not 0 has to be the newest of the store: CodeSuperseded (412) otherwise.
type Repeater interface {
	Retry(ctx context.Context, storeID string, generation int64, force []provision.Force) (a provision.Accepted, found bool, err error)
	Suspend(ctx context.Context, storeID string, generation int64, reason string) (a provision.Accepted, found bool, err error)
	Resume(ctx context.Context, storeID string, generation int64) (a provision.Accepted, found bool, err error)
	Cancel(ctx context.Context, storeID string, generation int64) (c provision.Cancelled, found bool, err error)
}

// Rotator gives a store other credentials. Its errors are as those of [Repeater]; CodeConflict says that there is no running shop that could take them.
type Rotator interface {
	Rotate(ctx context.Context, storeID string, generation int64) (a provision.Accepted, found bool, err error)
}

// Restorer makes a store what it was when a backup of it began; what was written since is lost. Its errors are as those of [Repeater]; CodeConflict says that the store has
// no such backup, or cannot be restored as it is.
type Restorer interface {
	Restore(ctx context.Context, storeID string, generation int64, want provision.RestoreRequest) (a provision.Accepted, found bool, err error)
}

// BackupRequester asks for a backup of a store, and returns since when one is asked for. Its errors are as those of [Repeater]; CodeConflict says that the store is not READY,
// or that no worker makes backups. It is idempotent until the backup begins.
type BackupRequester interface {
	RequestBackup(ctx context.Context, storeID string, generation int64) (at time.Time, found bool, err error)
}

// Protector has deletes of a store refused with CodeConflict, or lifts that. Its errors follow the rules of [Acceptor]; found is false where there is no record.
// It is idempotent.
type Protector interface {
	Protect(ctx context.Context, storeID string, protected bool) (found bool, err error)
}

// Replayer sends a dead letter again. Its errors follow the rules of [Acceptor]. It is idempotent.
type Replayer interface {
	Replay(ctx context.Context, callbackID string) (provision.ReplayResult, error)
}

// Reader returns the recorded state of stores and the callbacks that the backend refused. Its errors follow the rules of
// [Acceptor]; a cursor that it did not return is CodeInvalid.
type Reader interface {
	Store(ctx context.Context, id string) (provision.State, bool, error)
	Stores(ctx context.Context, f provision.StoreFilter, cursor string, limit int) (provision.Page, error)
	Orphans(ctx context.Context, kind provision.OrphanKind, cursor string, limit int) (provision.Orphans, error)
	DeadLetters(ctx context.Context, cursor string, limit int) (provision.DeadLetters, error)
}

// Clusters gives up a cluster that is gone for good, and takes it back. Its errors follow the rules of [Acceptor]; a cluster that the
// installation does not have is CodeInvalid. Both are idempotent.
type Clusters interface {
	Clusters(ctx context.Context) ([]provision.ClusterState, error)
	LoseCluster(ctx context.Context, name string) error
	FindCluster(ctx context.Context, name string) error
}

// Holds shows which stores wait since others have failed for one cause, and lets them go on. Its errors follow the rules of [Acceptor]; found is false
// where none waits.
type Holds interface {
	Holds(ctx context.Context) ([]provision.Hold, error)
	ReleaseHold(ctx context.Context, cluster, engine string) (found bool, err error)
}

// Findings lists the stores of which an audit has found something. Its errors are as those of [Reader].
type Findings interface {
	Findings(ctx context.Context, kind provision.FindingKind, cursor string, limit int) (provision.Page, error)
}

// Counter counts the stores of the engines. Its errors are as those of [Reader].
type Counter interface {
	Summary(ctx context.Context, engines []string) (provision.Summary, error)
}

// Rollouts moves the stores of an engine to another edition. Its errors follow the rules of [Acceptor]; CodeConflict says what is in the way, found is false
// where there has been no rollout.
type Rollouts interface {
	Rollout(ctx context.Context) (o provision.Rollout, found bool, err error)
	StartRollout(ctx context.Context, p provision.RolloutPlan) error
	ChangeRollout(ctx context.Context, change provision.RolloutChange) (found bool, err error)
}

// Readiness returns nil if a request would be accepted now. Its errors follow the rules of [Acceptor].
type Readiness interface {
	Ready(context.Context) error
}

// Config configures a handler. Tokens, an engine in Policy, Acceptor, Repeater, Rotator, Restorer, Backups, Protector, Reader, Replayer, Clusters, Holds, Findings, Counter, Events, Rollouts, Quotas, Later and Readiness are required.
type Config struct {
	Tokens []string // all are accepted, so that one can be rotated without downtime
	// NamedTokens have the scopes that they name. Once one has [ScopeOperate], Tokens have it no more.
	NamedTokens []NamedToken

	Policy    provision.Policy
	Acceptor  Acceptor
	Repeater  Repeater
	Rotator   Rotator
	Restorer  Restorer
	Backups   BackupRequester
	Protector Protector
	Reader    Reader
	Replayer  Replayer
	Clusters  Clusters
	Holds     Holds
	Findings  Findings
	Counter   Counter
	Events    Events
	Rollouts  Rollouts
	Quotas    Quotas
	Later     LaterDeleter
	Readiness Readiness

	// DeleteGrace is how long a store is kept whose delete says nothing of grace; 0: it is deleted at once. The backend is told nothing before DELETED.
	DeleteGrace time.Duration

	Maintained bool // the workers of the installation do maintenance: there can be rollouts

	MaxStreams int // of events that one token may have open; 0 means 20, a negative number none

	Timeout time.Duration         // for each of them to answer; 0 means 3 s
	MaxBody int64                 // bytes; 0 means 64 KiB
	Log     *slog.Logger          // nil means slog.Default
	Metrics prometheus.Registerer // nil disables metrics
	Traces  trace.TracerProvider  // nil disables traces
}

type server struct {
	Config
	tokens  tokens
	streams streams
	seconds *prometheus.HistogramVec
}

// New returns the handler of the public listener. It does not serve metrics: expose those of Config.Metrics on a listener
// that only operators reach.
func New(config Config) (*echo.Echo, error) {
	accepted, err := newTokens(config.Tokens, config.NamedTokens)
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
	if c.MaxStreams == 0 {
		c.MaxStreams = 20
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func (c Config) missing() error {
	switch {
	case c.Acceptor == nil || c.Repeater == nil || c.Rotator == nil || c.Restorer == nil || c.Backups == nil || c.Protector == nil || c.Reader == nil || c.Replayer == nil || c.Clusters == nil || c.Holds == nil || c.Findings == nil || c.Events == nil || c.Rollouts == nil || c.Quotas == nil || c.Later == nil || c.Readiness == nil:
		return errors.New("ingest: Acceptor, Repeater, Rotator, Restorer, Backups, Protector, Reader, Replayer, Clusters, Holds, Findings, Events, Rollouts, Quotas, Later and Readiness are required")
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
	e.Pre(plainPath)
	e.Use(s.observe, secure)

	read := []string{http.MethodGet, http.MethodHead}
	e.Match(read, "/", s.healthz)
	e.Match(read, "/health", s.healthz)
	e.Match(read, "/healthz", s.healthz)
	e.Match(read, "/readyz", s.readyz)
	e.Match(read, "/openapi.yaml", openAPI)
	e.Match(read, "/openapi.json", openAPIJSON)
	e.Match(read, "/docs", docs)

	e.POST("/", s.post, s.authorize(ScopeWrite))
	e.POST("/orchestrate", s.post, s.authorize(ScopeWrite))
	e.DELETE("/stores/:store_id", s.remove, s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/retry", s.retry, s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/suspend", s.suspend, s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/resume", s.resume, s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/rotate", s.rotate, s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/restore", s.restore, s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/backup", s.backup, s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/protect", s.protect(true), s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/unprotect", s.protect(false), s.authorize(ScopeWrite))
	e.POST("/stores/:store_id/cancel", s.cancel, s.authorize(ScopeWrite))
	e.Match(read, "/stores/:store_id", s.show, s.authorize(ScopeRead))
	e.GET("/stores/:store_id/events", s.events, s.authorize(ScopeRead))
	e.Match(read, "/summary", s.summary, s.authorize(ScopeRead))
	e.Match(read, "/stores", s.list, s.authorize(ScopeRead))
	e.Match(read, "/orphans", s.orphans, s.authorize(ScopeOperate))
	e.Match(read, "/clusters", s.clusters, s.authorize(ScopeOperate))
	e.POST("/clusters/:name/lost", s.loseCluster, s.authorize(ScopeOperate))
	e.POST("/clusters/:name/found", s.findCluster, s.authorize(ScopeOperate))
	e.Match(read, "/findings", s.findings, s.authorize(ScopeOperate))
	e.Match(read, "/creators/:creator_id", s.quota, s.authorize(ScopeRead))
	e.POST("/creators/:creator_id/quota", s.setQuota, s.authorize(ScopeOperate))
	e.Match(read, "/rollout", s.rollout, s.authorize(ScopeOperate))
	e.POST("/rollout", s.startRollout, s.authorize(ScopeOperate))
	e.POST("/rollout/pause", s.changeRollout(provision.RolloutPause), s.authorize(ScopeOperate))
	e.POST("/rollout/resume", s.changeRollout(provision.RolloutResume), s.authorize(ScopeOperate))
	e.POST("/rollout/abort", s.changeRollout(provision.RolloutAbort), s.authorize(ScopeOperate))
	e.Match(read, "/holds", s.holds, s.authorize(ScopeOperate))
	e.POST("/holds/:cluster/:engine/release", s.releaseHold, s.authorize(ScopeOperate))
	e.Match(read, "/dead-letters", s.letters, s.authorize(ScopeRead))
	e.POST("/dead-letters/:id/replay", s.replay, s.authorize(ScopeOperate))
	return e
}

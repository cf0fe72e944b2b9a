// Package pages is what operators see of the stores: overview, lists, one store, dead letters, rollout and clusters, each with the buttons that help.
//
// Pages read the record, and act through what ingest acts through: the same scripts with the same checks. Nothing of it asks a cluster.
package pages

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"orchestrator/provision"
)

// Stores reads what is on record: [record.Requests].
type Stores interface {
	Store(ctx context.Context, id string) (provision.State, bool, error)
	Find(ctx context.Context, f provision.StoreFilter, cursor string, limit int) (provision.Page, error)
	Orphans(ctx context.Context, kind provision.OrphanKind, cursor string, limit int) (provision.Orphans, error)
	CountOrphans(ctx context.Context) (map[provision.OrphanKind]int64, error)
}

// Clusters says where stores live, and whether the records are complete: [record.Requests].
type Clusters interface {
	Clusters(ctx context.Context) ([]provision.ClusterState, error)
	Ready(ctx context.Context) error
}

// Fleet reads what is about many stores: [record.Fleet].
type Fleet interface {
	Summary(ctx context.Context, engines []string) (provision.Summary, error)
	Holds(ctx context.Context) ([]provision.Hold, error)
	Findings(ctx context.Context, kind provision.FindingKind, cursor string, limit int) (provision.Page, error)
	CountFindings(ctx context.Context) (map[provision.FindingKind]int64, error)
}

// Letters reads the callbacks that the backend has refused: [record.Callbacks].
type Letters interface {
	DeadLetters(ctx context.Context, cursor string, limit int) (provision.DeadLetters, error)
}

// Rollouts shows and changes the newest rollout: [record.Rollouts].
type Rollouts interface {
	Rollout(ctx context.Context) (o provision.Rollout, found bool, err error)
	ChangeRollout(ctx context.Context, change provision.RolloutChange) (found bool, err error)
}

// Counts counts what the summary does not, as the metrics and alerts have it: [record.Stats].
type Counts interface {
	Waiting(ctx context.Context, engines []string) (Waiting, error)
	// Unconfirmed are the stores whose callbacks have not been confirmed for the longest.
	Unconfirmed(ctx context.Context, n int) ([]provision.State, error)
}

// Waiting is what waits.
type Waiting struct {
	Oldest           time.Time // since when the oldest store is under way that waits for nothing else; zero: none
	PendingCallbacks int64     // callbacks that the backend has not confirmed
	PendingSince     time.Time // since when the oldest of them waits; zero: none
	Memory           float64   // how much of its memory Redis uses, from 0 to 1; 0 where it does not say
}

// Config is what pages are made of. All fields but Log are required.
type Config struct {
	Stores   Stores
	Clusters Clusters
	Fleet    Fleet
	Letters  Letters
	Rollouts Rollouts
	Counts   Counts
	Actions  Actions
	Engines  []string // all that the installation knows
	// TaskPath is where the task of a store's newest generation is shown.
	TaskPath func(provision.State) string
	Log      *slog.Logger
}

// Pages serves the pages.
type Pages struct {
	Config
	render *renderer
	now    func() time.Time

	overviews cache[overview]
	lists     cache[list]
	stores    cache[storeRead]
	letters   cache[provision.DeadLetters]
	watched   cache[attention]
	rollouts  cache[rolloutPage]
	places    cache[clustersPage]
}

// New returns the pages.
func New(c Config) (*Pages, error) {
	r, err := newRenderer()
	return &Pages{Config: c, render: r, now: time.Now}, err
}

// Routes adds the pages to mux. The caller sees to it that only users come here.
func (p *Pages) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", p.overview)
	mux.HandleFunc("GET /stores", p.list)
	mux.HandleFunc("GET /stores/{id}", p.store)
	mux.HandleFunc("GET /stores/{id}/{action}", p.confirm)
	mux.HandleFunc("POST /stores/{id}/{action}", p.operators(p.act))
	mux.HandleFunc("GET /dead-letters", p.deadLetters)
	mux.HandleFunc("POST /dead-letters/{letter}/replay", p.operators(p.replay))
	mux.HandleFunc("GET /attention", p.attention)
	mux.HandleFunc("POST /holds/{cluster}/{engine}/release", p.operators(p.release))
	mux.HandleFunc("GET /holds/{cluster}/{engine}/release", p.confirmRelease)
	mux.HandleFunc("GET /rollout", p.rollout)
	mux.HandleFunc("GET /rollout/abort", p.confirmAbort)
	mux.HandleFunc("POST /rollout/{change}", p.operators(p.changeRollout))
	mux.HandleFunc("GET /clusters", p.clusters)
	mux.HandleFunc("GET /runbook", p.runbook)
	mux.HandleFunc("/", p.notFound)
}

// Changed has everything read anew: something has changed.
func (p *Pages) Changed() {
	p.overviews.clear()
	p.lists.clear()
	p.stores.clear()
	p.letters.clear()
	p.watched.clear()
	p.rollouts.clear()
	p.places.clear()
}

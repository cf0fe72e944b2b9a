package provision

import (
	"context"
	"errors"
	"time"
)

// FindingKind is what an audit may find of a store. A store may be of several kinds.
type FindingKind string

// The kinds of findings.
const (
	FindingDrifted  FindingKind = "drifted"  // its objects are not as its release says
	FindingOutdated FindingKind = "outdated" // it has another edition than a new store would get
	FindingUnwell   FindingKind = "unwell"   // pods of it have not been available for minutes; found by watching, not by an audit
)

// FindingKinds are all kinds.
var FindingKinds = []FindingKind{FindingUnwell, FindingDrifted, FindingOutdated}

// Difference is one object of a store that is not as its release says. It holds no values.
type Difference struct {
	Object  string    `json:"object"`           // such as "deployment my-shop"
	Fields  []string  `json:"fields,omitempty"` // that differ; none where the object is missing
	Missing bool      `json:"missing,omitempty"`
	Manager string    `json:"manager,omitempty"` // who has changed the object last, as Kubernetes knows it
	At      time.Time `json:"at,omitzero"`       // when
}

// Finding is what an audit has found of a store.
type Finding struct {
	Edition  string
	Outdated bool         // a new store gets another edition
	Drift    []Difference // what is left after the audit
	Repaired []Difference // what it has mended
}

// Auditor looks at what was installed, and changes it only to mend it.
type Auditor interface {
	// Inspect compares the release of a store, and each of its objects, with what it is to be. With repair it mends what differs. An API server
	// that does not answer is an error, never "no difference".
	Inspect(ctx context.Context, s Store, want Release, repair bool) (Finding, error)
	// DeliverSecrets brings the store's copies of the installation's Secrets up to date.
	DeliverSecrets(context.Context, Store) error
}

// Audit looks for what was changed from outside since the store was READY or SUSPENDED, and mends it with repair. The Secrets that stores get
// copies of are renewed in any case.
func (r *Runner) Audit(ctx context.Context, s Store, repair bool) (Finding, error) {
	if r.Auditor == nil {
		return Finding{}, nil
	}
	engine, err := r.engineOf(s)
	if err != nil {
		return Finding{}, err
	}
	release, err := engine.Release(s)
	if err != nil {
		return Finding{}, err
	}
	found, err := r.Auditor.Inspect(ctx, s, release, repair)
	return found, errors.Join(causeOf(ctx, err), causeOf(ctx, r.Auditor.DeliverSecrets(ctx, s)))
}

// OrphanKind says why a store may be an orphan: one that may no longer be wanted, but that costs money or holds a host.
type OrphanKind string

// The kinds of orphans. A store is of the first one that is true of it.
const (
	OrphanForgotten OrphanKind = "forgotten" // the backend answered its last outcome with 404 or 410: it does not know the store
	OrphanContested OrphanKind = "contested" // another store was refused because of a host or namespace that this one owns
	OrphanRetained  OrphanKind = "retained"  // the store is deleted, its data was retained
	OrphanFailed    OrphanKind = "failed"    // the store was never READY, and its last request has failed
)

// OrphanKinds are all kinds.
var OrphanKinds = []OrphanKind{OrphanForgotten, OrphanContested, OrphanRetained, OrphanFailed}

// Orphan is a store that is of one of the kinds.
type Orphan struct {
	Kind  OrphanKind `json:"kind"`
	Since time.Time  `json:"since"`
	Store State      `json:"store"` // without its steps
}

// Orphans is a page of the orphans of one kind, the latest first.
type Orphans struct {
	Orphans []Orphan `json:"orphans"`
	Next    string   `json:"next,omitempty"` // cursor of the next page; "" on the last one
}

// Hold keeps the provisions of one engine on one cluster waiting: several creators' stores have failed within minutes, for one cause that is the
// installation's. One store a minute is tried all the same; the first success, or an operator, lets all go on.
type Hold struct {
	Cluster string    `json:"cluster"`
	Engine  string    `json:"engine"`
	Code    Code      `json:"code"`
	Error   string    `json:"error"`    // the public text of the failure that made it
	Since   time.Time `json:"since"`    // by Redis' clock, as the next
	ProbeAt time.Time `json:"probe_at"` // the next run after this time is tried
	Stores  int64     `json:"stores"`   // that wait, about
}

// Holds is the list of them.
type Holds struct {
	Holds []Hold `json:"holds"`
}

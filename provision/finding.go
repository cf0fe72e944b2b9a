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
	engine, ok := r.Engines[s.Engine]
	if !ok {
		return Finding{}, Errorf(CodeInvalid, "engine %q is not known to this worker", s.Engine)
	}
	release, err := engine.Release(s)
	if err != nil {
		return Finding{}, err
	}
	found, err := r.Auditor.Inspect(ctx, s, release, repair)
	return found, errors.Join(causeOf(ctx, err), causeOf(ctx, r.Auditor.DeliverSecrets(ctx, s)))
}

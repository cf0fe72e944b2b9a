package provision

import (
	"context"
	"net/http"
	"time"
)

// Namespaces owns the store's namespace. Its methods refuse one that does not carry our label for this store with
// CodeConflict.
type Namespaces interface {
	// Ensure makes the namespace exist and records the generation in it. It reports unfinished when the namespace is left
	// over from a delete that did not end: the caller deletes what is there, and calls again. A namespace whose delete retained
	// the data is used again; CodeConflict where that data is of another engine or release. CodeSuperseded means that the
	// cluster has seen a newer generation.
	Ensure(context.Context, Store) (unfinished bool, err error)
	// Remove deletes the namespace and returns when it is gone. Not found is success.
	Remove(context.Context, Store) error
	// MarkDeleting marks every namespace labelled for the store as being deleted by this generation, and returns the
	// store as it is in each. None is success. With OpProvision it is a provision that finishes an earlier delete, and its
	// request is what is recorded. CodeSuperseded means that the cluster has seen a newer generation, CodeConflict that data is
	// to be retained whose deletion has started.
	MarkDeleting(context.Context, Op, Store) ([]Store, error)
}

// Credentials creates the missing entries of the store's Secret. It never changes an existing entry.
type Credentials interface {
	Ensure(context.Context, Store, []Credential) error
}

// Rotator gives running shops new credentials.
type Rotator interface {
	// Due reports whether the store's credentials are older than the newest request to rotate them.
	Due(context.Context, Store) (bool, error)
	// Rotate draws new values for the credentials that rotate, has the shop take them, and only then makes them the store's: until it returns nil,
	// those that the store had are the ones to tell. It may be interrupted and called again at any point, and draws once. CodeCrash means that the shop
	// refuses them.
	Rotate(ctx context.Context, s Store, r Release, deadline time.Time) error
}

// Releases installs, upgrades and removes the store's Helm release.
type Releases interface {
	// Apply installs or upgrades the release to the wanted chart and values; it does not wait for pods. It changes nothing where
	// nothing differs. A release that is deployed keeps its edition, unless the run forces an upgrade.
	Apply(context.Context, Store, Release) (Applied, error)
	// Remove uninstalls the release. Not found is success.
	Remove(context.Context, Store) error
}

// Applied is what [Releases] has applied. The edition is the chart with the values of the environment and the installation: what all stores of an
// engine share that were installed by the same build and settings.
type Applied struct {
	At       time.Time // when this generation's release was applied first
	Edition  string
	Outdated bool // the edition is not the one that a new store gets
}

// ReleaseTimeout bounds one call of [Releases]. Such a call does not end with its context, since a Helm operation cannot be
// cancelled safely: a run that is stopped or superseded may need this long until it returns.
const ReleaseTimeout = 60 * time.Second

// Readiness waits until the rollout of the applied release is complete.
type Readiness interface {
	// Wait returns nil once it is, an error with a final code as soon as it is known that it cannot be, and CodeTimeout at the
	// deadline, with the names of what was not ready.
	Wait(ctx context.Context, s Store, deadline time.Time) error
}

// Volumes removes or releases the store's persistent volume claims. Not found is success.
type Volumes interface {
	// Remove deletes the claims and returns when they are gone.
	Remove(context.Context, Store) error
	// Detach keeps the claims and returns when no pod exists that could still write to them. Its release has been removed, or is
	// suspended.
	Detach(context.Context, Store) error
}

// Shops connects to a store's pods, and saves the result of the verification.
type Shops interface {
	// Open returns the shop and a function that closes the connection to it.
	Open(context.Context, Store) (Shop, func(), error)
	// SaveVerification records that the shop was verified, and its outputs. The record lives as long as the store's
	// credentials.
	SaveVerification(context.Context, Store, Outputs) error
}

// Turns order the stores that begin.
type Turns interface {
	// Turn waits for a write slot and has do use it for all that it reads and writes with its context.
	Turn(ctx context.Context, do func(context.Context) error) error
}

// Runner carries out one operation on one store. It is safe for concurrent use; the caller makes sure that only one run of a
// store is active at a time.
type Runner struct {
	Namespaces  Namespaces
	Credentials Credentials
	Releases    Releases
	Readiness   Readiness
	Volumes     Volumes
	Shops       Shops       // nil: the shop is not verified
	Auditor     Auditor     // nil: nothing is found
	Upgrader    Upgrader    // nil: no store is upgraded but by its requests
	Rotator     Rotator     // nil: no credentials are rotated
	BackupMaker BackupMaker // nil: no backups are made
	Restorer    Restorer    // nil: a store that is to be restored fails
	Turns       Turns       // nil: stores begin whenever they come
	// PublicClient verifies shops at their public addresses as well, after the verification through the cluster; nil: they are
	// not.
	PublicClient *http.Client
	Engines      map[string]Engine

	// Around is called before each step with its first entry, and what it returns after the step with the last one. The step has the
	// context that it returns. nil: no call is made.
	Around func(context.Context, Step) (context.Context, func(Step))

	ReadinessTimeout time.Duration // from the release's application to a verified shop
	DeleteTimeout    time.Duration // from the start of a delete's run to its end
	VerifyEvery      time.Duration // between two questions to a shop that is not there yet; 0 means 2 s
}

// engineOf is the engine of a store.
func (r *Runner) engineOf(s Store) (Engine, error) {
	engine, ok := r.Engines[s.Engine]
	if !ok {
		return nil, Errorf(CodeInvalid, "engine %q is not known to this worker", s.Engine)
	}
	return engine, nil
}

// Run carries out op and calls onStep for every entry of the journal. It returns nil when the store is in the wanted state,
// and the context's cause when the context ends first.
func (r *Runner) Run(ctx context.Context, op Op, s Store, onStep func(Step)) error {
	if op == OpDelete {
		return r.delete(ctx, op, s, journal{onStep, r.Around})
	}
	return r.provision(ctx, s, journal{onStep, r.Around})
}

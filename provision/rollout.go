package provision

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// RolloutState is the state of a [Rollout].
type RolloutState string

// The states of a rollout. The last two are its end.
const (
	RolloutGathering RolloutState = "gathering" // the stores of the engine are collected
	RolloutRunning   RolloutState = "running"
	RolloutPaused    RolloutState = "paused" // by an operator, or since stores have failed
	RolloutDone      RolloutState = "done"
	RolloutAborted   RolloutState = "aborted"
)

// RolloutPlan is how the stores of an engine are to be upgraded to the edition that the workers have.
type RolloutPlan struct {
	Engine string `json:"engine"`
	// Waves are up to how many stores each wave goes, of all: a number, or a percentage of all. The last one is followed by all others.
	Waves       []string `json:"waves,omitempty"`
	Canaries    []string `json:"canaries,omitempty"` // ids of stores that come first
	Parallel    int      `json:"parallel,omitempty"` // stores that are upgraded at a time
	MaxFailures int      `json:"max_failures"`       // stores that may fail before the rollout pauses
	SoakSeconds int      `json:"soak_seconds"`       // between a wave and the next
	// WithoutBackup has stores upgraded without a backup where the edition raises the version of their data. Otherwise one is made first, and where workers make
	// none the rollout pauses.
	WithoutBackup bool `json:"without_backup,omitempty"`
}

// Rollout is a rollout and how far it is. The installation has one at a time.
type Rollout struct {
	RolloutPlan
	State       RolloutState      `json:"state"`
	Reason      string            `json:"reason,omitempty"` // why it is paused or was aborted
	Wave        int               `json:"wave"`             // from 1
	Total       int64             `json:"total"`            // stores of the engine
	Todo        int64             `json:"todo"`
	Doing       int64             `json:"doing"`
	Done        int64             `json:"done"`
	Failed      int64             `json:"failed"`
	Skipped     int64             `json:"skipped"`            // that are suspended, have failed or were deleted
	Editions    map[string]string `json:"editions,omitempty"` // by cluster
	Errors      map[string]string `json:"errors,omitempty"`   // by store that has failed: why; some of them
	RequestedBy string            `json:"requested_by,omitempty"`
	StartedAt   time.Time         `json:"started_at"`
	EndedAt     time.Time         `json:"ended_at,omitzero"`
	SoakUntil   time.Time         `json:"soak_until,omitzero"`
}

// RolloutChange is what an operator does with a rollout.
type RolloutChange string

// The changes of a rollout.
const (
	RolloutPause  RolloutChange = "pause"
	RolloutResume RolloutChange = "resume"
	RolloutAbort  RolloutChange = "abort" // what is upgraded stays so
)

// UpgradeResult is how the upgrade of one store has ended.
type UpgradeResult string

// The results of an upgrade.
const (
	UpgradeDone    UpgradeResult = "done"
	UpgradeFailed  UpgradeResult = "failed"
	UpgradeRefused UpgradeResult = "refused" // nothing was touched, and no other store is to be either
)

// Upgraded is what an upgrade has made of a store.
type Upgraded struct {
	Result   UpgradeResult
	Edition  string // that the store has now
	Outdated bool
	Error    string // the public text, where it did not end well
}

// Editions are the edition that a store has and the one that a new store would get, each with the version of the data that it writes: a shop of a lower
// version cannot read the data of a higher one.
type Editions struct {
	Kept, Current         string // Kept is "" where the store's record does not say it
	KeptData, CurrentData int
}

// raisesData reports whether an upgrade changes the store's data so that it cannot be taken back.
func (e Editions) raisesData() bool { return e.Kept != "" && e.CurrentData > e.KeptData }

// Upgrader changes the edition of a store.
type Upgrader interface {
	// Editions reads which edition a store has. It changes nothing.
	Editions(ctx context.Context, s Store, want Release) (Editions, error)
	// Revert gives a store an edition back that it had before. CodeInvalid means that no record of it is left.
	Revert(ctx context.Context, s Store, want Release, edition string) error
}

// UpgradeTerms are what a rollout says about the upgrade of one store.
type UpgradeTerms struct {
	WithoutBackup bool    // the version of the store's data may rise with no backup made first
	Backup        *Backup // that an upgrade of the store which was interrupted has just made; nil: none is to be used
}

// UpgradeTurn is a store's turn in a rollout.
type UpgradeTurn interface {
	// Begin is asked before anything is touched, with the edition that the store would get. backsUp says that the upgrade would make a backup first. Its error
	// ends the upgrade.
	Begin(ctx context.Context, edition string, backsUp bool) (UpgradeTerms, error)
	// BackedUp keeps the backup that was made first, before anything else is touched. Its error ends the upgrade.
	BackedUp(ctx context.Context, made Backup) error
}

// Upgrade gives a store the edition that a new store gets, and checks it as a shopper would. Where that raises the version of the store's data, a backup is made
// first. A store that fails goes back to the edition that it had, unless its data cannot. An error of the turn ends the upgrade, and so does one that says
// nothing about the store: nothing has ended then, and the upgrade is tried again.
func (r *Runner) Upgrade(ctx context.Context, s Store, turn UpgradeTurn) (Upgraded, error) {
	if r.Upgrader == nil {
		return Upgraded{}, Errorf(CodeUnavailable, "this worker upgrades no stores")
	}
	engine, ok := r.Engines[s.Engine]
	if !ok {
		return Upgraded{}, Errorf(CodeBusy, "engine %q is not known to this worker", s.Engine)
	}
	release, err := engine.Release(s)
	var has Editions
	if err == nil {
		has, err = r.Upgrader.Editions(ctx, s, release)
	}
	switch {
	case err != nil && tryAgain(ctx, err):
		return Upgraded{}, causeOf(ctx, err)
	case err != nil:
		return Upgraded{Result: UpgradeFailed, Outdated: true, Error: Public(err)}, nil
	}
	terms, err := turn.Begin(ctx, has.Current, has.raisesData() && r.BackupMaker != nil)
	switch {
	case err != nil:
		return Upgraded{}, err
	case has.Kept == has.Current:
		return Upgraded{Result: UpgradeDone, Edition: has.Current}, nil
	case has.raisesData() && !terms.WithoutBackup && r.BackupMaker == nil:
		return Upgraded{Result: UpgradeRefused, Edition: has.Kept, Outdated: true, Error: refusedText(s, has)}, nil
	}
	var before *Backup
	if has.raisesData() && !terms.WithoutBackup {
		before, err = r.backUpFirst(ctx, s, terms, turn)
	}
	switch {
	case err != nil && tryAgain(ctx, err):
		return Upgraded{}, causeOf(ctx, err)
	case err != nil:
		return Upgraded{Result: UpgradeFailed, Edition: has.Kept, Outdated: true, Error: "it was not touched, since the backup before its upgrade failed: " + Public(err)}, nil
	}
	return r.upgradeTo(ctx, s, engine, release, has, before)
}

// backUpFirst returns the backup of a store whose data is about to change: the one that the turn has, or a new one. A pod that was left by a run of long ago has made
// one of a shop that has sold since.
func (r *Runner) backUpFirst(ctx context.Context, s Store, terms UpgradeTerms, turn UpgradeTurn) (*Backup, error) {
	if terms.Backup != nil {
		return terms.Backup, nil
	}
	begun := time.Now()
	made, err := r.Backup(ctx, s)
	if err == nil && begun.Sub(made.At) > BackupTimeout {
		made, err = r.Backup(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	if err := turn.BackedUp(ctx, made); err != nil {
		return nil, Wrap(CodeBusy, err, "the backup before the upgrade of store %s is not on record", s.StoreID)
	}
	return &made, nil
}

// upgradeTo applies the edition, and takes the store back where it fails. before is the backup that was made first, if any.
func (r *Runner) upgradeTo(ctx context.Context, s Store, engine Engine, release Release, has Editions, before *Backup) (Upgraded, error) {
	err := r.applyEdition(ctx, s, engine, func(ctx context.Context) error {
		s := s
		s.Force = append(slices.Clone(s.Force), ForceUpgrade)
		if err := r.Credentials.Ensure(ctx, s, release.Credentials); err != nil {
			return err
		}
		_, err := r.Releases.Apply(ctx, s, release)
		return err
	})
	if err == nil {
		return Upgraded{Result: UpgradeDone, Edition: has.Current}, nil
	}
	if tryAgain(ctx, err) {
		return Upgraded{}, causeOf(ctx, err)
	}
	upgraded, err := r.revert(ctx, s, engine, release, has, err)
	if err == nil && before != nil {
		upgraded.Error += restoreText(s, *before)
	}
	return upgraded, err
}

// applyEdition applies one edition and waits until the shop can be used, within a readiness budget of its own.
func (r *Runner) applyEdition(ctx context.Context, s Store, engine Engine, apply func(context.Context) error) error {
	if err := apply(ctx); err != nil {
		return err
	}
	deadline := time.Now().Add(r.ReadinessTimeout)
	if err := r.Readiness.Wait(ctx, s, deadline); err != nil || r.Shops == nil {
		return err
	}
	_, err := r.verify(ctx, s, engine, deadline)
	return err
}

// tryAgain reports whether an error says nothing about the store: the cluster is away, or something else comes first.
func tryAgain(ctx context.Context, err error) bool {
	code := CodeOf(err)
	return ctx.Err() != nil || code == CodeUnavailable || code == CodeBusy || code == CodeSuperseded
}

// revert takes a store back whose upgrade has failed for this reason.
func (r *Runner) revert(ctx context.Context, s Store, engine Engine, release Release, has Editions, failed error) (Upgraded, error) {
	result := Upgraded{Result: UpgradeFailed, Edition: has.Current, Error: Public(failed)}
	switch {
	case has.Kept == "":
		result.Error += "; it was not taken back, since its record does not say which edition it had"
		return result, nil
	case has.CurrentData > has.KeptData:
		result.Error += "; it was not taken back, since the shop has changed its data and the version before cannot read it"
		return result, nil
	}
	err := r.applyEdition(ctx, s, engine, func(ctx context.Context) error { return r.Upgrader.Revert(ctx, s, release, has.Kept) })
	switch {
	case err == nil:
		result.Edition, result.Outdated = has.Kept, true
		result.Error += "; it was taken back, and its shop can be used"
	case tryAgain(ctx, err):
		return Upgraded{}, causeOf(ctx, err)
	default:
		result.Error += "; it was to be taken back, and that failed too: " + Public(err)
	}
	return result, nil
}

func refusedText(s Store, has Editions) string {
	return Errorf(CodeInvalid, "the new edition raises the version of the data of store %s from %d to %d, so that it cannot be taken back, and this worker makes no backup before: ORCH_BACKUP_GATE names no gate; set one up and resume this rollout, or back the stores up, abort it, and begin it again with without_backup",
		s.StoreID, has.KeptData, has.CurrentData).Message
}

// restoreText says what the backup of before an upgrade that failed is good for. A restore leaves the edition: where that is the new one, it changes the data again.
func restoreText(s Store, before Backup) string {
	return fmt.Sprintf("; before the upgrade backup %s was made, at %s: once the cause is mended, `orchestrator restore %s --backup %s` brings its data back, which the edition that the store has then raises again when the shop starts",
		before.Run, before.At.UTC().Format(time.RFC3339), s.StoreID, before.Run)
}

package provision

import (
	"context"
	"errors"
	"time"
)

// Backup is a backup of a store: up to three snapshots in the repository of the store, which have the tag run=<Run> in common. It can be restored with
// nothing else but the keys of the installation.
type Backup struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"` // when it began: what was sold before is in it
	// The snapshots, by their ids; "" of what the store's engine does not have.
	Database string `json:"database,omitempty"`
	Files    string `json:"files,omitempty"`
	Secrets  string `json:"secrets"`
	Added    int64  `json:"added"`  // bytes that the repository has grown by
	Bytes    int64  `json:"bytes"`  // that were read
	Number   int64  `json:"number"` // of files
	Orders   int64  `json:"orders"`
	Products int64  `json:"products"`
	// MyISAM is how many tables are outside of transactions: what was written to them meanwhile may not fit the rest.
	MyISAM  int64 `json:"myisam,omitempty"`
	Seconds int64 `json:"seconds"` // that it took
}

// BackupFailure is how the last backup of a store has failed. The one before that was good is still there.
type BackupFailure struct {
	Code  Code      `json:"code"`
	Error string    `json:"error"` // the public text
	Since time.Time `json:"since"` // when the first one failed since the last good one
}

// BackupMaker backs running stores up.
type BackupMaker interface {
	// MakeBackup returns once the backup is whole. It may be interrupted and called again at any point: what was begun counts as no backup, and one that has ended
	// well since a run was interrupted is returned. CodeConflict says that the store's edition knows no backups, or that its volume cannot be read beside
	// the shop; CodeCrash that the backup failed, and why; CodeTimeout that it did not end in time.
	MakeBackup(ctx context.Context, s Store, r Release, deadline time.Time) (Backup, error)
}

// MaxBackups is how many backups of a store are known at most; the oldest are forgotten first.
const MaxBackups = 60

// KnownBackups are the backups of a store that is shown alone, the newest first. A service of before lists none, and has only the last one.
func (s State) KnownBackups() []Backup {
	if len(s.Backups) == 0 && s.Backup != nil {
		return []Backup{*s.Backup}
	}
	return s.Backups
}

// BackupTimeout bounds one backup.
const BackupTimeout = 3 * time.Hour

// Backup backs a store up that is READY. What it costs the shop is a pod beside it; nothing of the shop is stopped or locked.
func (r *Runner) Backup(ctx context.Context, s Store) (Backup, error) {
	if r.BackupMaker == nil {
		return Backup{}, Errorf(CodeUnavailable, "this worker makes no backups: ORCH_BACKUP_GATE names no gate to send them to")
	}
	if s.Suspended {
		return Backup{}, Errorf(CodeConflict, "store %s is suspended, so that its database does not run; it is backed up once it is resumed", s.StoreID)
	}
	engine, ok := r.Engines[s.Engine]
	if !ok {
		return Backup{}, Errorf(CodeInvalid, "engine %q is not known to this worker", s.Engine)
	}
	release, err := engine.Release(s)
	if err != nil {
		return Backup{}, err
	}
	made, err := r.BackupMaker.MakeBackup(ctx, s, release, time.Now().Add(BackupTimeout))
	return made, causeOf(ctx, err)
}

// RestoreRequest asks for a store to be what it was when a backup of it began.
type RestoreRequest struct {
	// Backup is the run of one of the store's backups ([Backup].Run); "" is the last good one.
	Backup string `json:"backup,omitempty"`
	// NewPassword has the credentials rotated once the shop runs again. Otherwise those come back that the store had then.
	NewPassword bool `json:"new_password,omitempty"`
}

// Restore is a restore that a store was asked for and that has not come to its READY yet.
type Restore struct {
	Generation int64  `json:"generation"` // that it was accepted as; a later one goes on with it
	Backup     Backup `json:"backup"`
}

// ErrRestoreRefused is the cause of an error that says that a restore has touched nothing, in this run or before: the backup does not fit the store, or cannot be read.
var ErrRestoreRefused = errors.New("the restore was refused")

// Restorer puts stores back to backups of theirs.
type Restorer interface {
	// Restored says when the store's restore was done; zero: it was not. CodeConflict says that the store's edition knows no restore.
	Restored(ctx context.Context, s Store, r Release) (time.Time, error)
	// Restore has database, files and credentials become what they were, of a store of which nothing runs but its database. It may be interrupted and called again
	// at any point, and begins anew then. [ErrRestoreRefused], of code conflict, says that nothing was touched; CodeCrash that it failed, and why, with
	// what is in the store to be restored once more; CodeTimeout that it did not end in time.
	Restore(ctx context.Context, s Store, r Release, deadline time.Time) error
}

// RestoreTimeout bounds one restore.
const RestoreTimeout = BackupTimeout

// restore puts the store back to the backup that was asked for, unless that was done: release and ready of the database alone → restore. It returns when it was
// done; zero: there is none to be done. A store that is suspended waits for its resumption: its database does not run. Where nothing was touched the shop is started
// again, as it was.
func (r *Runner) restore(ctx context.Context, s Store, engine Engine, shop Release, j journal) (at time.Time, err error) {
	if s.Restore == nil || s.Suspended {
		return time.Time{}, nil
	}
	if r.Restorer == nil {
		return time.Time{}, Errorf(CodeUnavailable, "store %s is to be restored, and this worker restores nothing: ORCH_BACKUP_GATE names no gate to read backups from", s.StoreID)
	}
	stopped := s
	stopped.Restoring = true
	release, err := engine.Release(stopped)
	if err == nil {
		at, err = r.Restorer.Restored(ctx, stopped, release)
	}
	if err != nil || !at.IsZero() {
		return at, err
	}
	// Not from when the generation was applied first: a run before may have restored for hours.
	if _, err = r.release(ctx, stopped, release, j); err == nil {
		err = j.step(ctx, OpProvision, s, StepReady, func(ctx context.Context) error { return r.Readiness.Wait(ctx, stopped, r.readyBy(s, time.Now())) })
	}
	if err == nil {
		err = j.step(ctx, OpProvision, s, StepRestore, func(ctx context.Context) error {
			return r.Restorer.Restore(ctx, stopped, release, time.Now().Add(RestoreTimeout))
		})
	}
	if errors.Is(err, ErrRestoreRefused) {
		if _, again := r.release(ctx, s, shop, j); again != nil {
			err = again // and the next run is refused once more
		}
	}
	return time.Now(), err
}

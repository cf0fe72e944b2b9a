package provision

import (
	"context"
	"time"
)

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

// Restorer puts stores back to backups of theirs.
type Restorer interface {
	// Restored says when the store's restore was done; zero: it was not. CodeConflict says that the store's edition knows no restore.
	Restored(ctx context.Context, s Store, r Release) (time.Time, error)
	// Restore has database, files and credentials become what they were, of a store of which nothing runs but its database. It may be interrupted and called again
	// at any point, and begins anew then. CodeConflict says that nothing was touched, since the backup does not fit the store; CodeCrash that it failed, and why, with
	// what is in the store to be restored once more; CodeTimeout that it did not end in time.
	Restore(ctx context.Context, s Store, r Release, deadline time.Time) error
}

// RestoreTimeout bounds one restore.
const RestoreTimeout = BackupTimeout

// restore puts the store back to the backup that was asked for, unless that was done: release and ready of the database alone → restore. It returns when it was
// done; zero: there is none to be done. A store that is suspended waits for its resumption: its database does not run.
func (r *Runner) restore(ctx context.Context, s Store, engine Engine, j journal) (at time.Time, err error) {
	if s.Restore == nil || s.Suspended {
		return time.Time{}, nil
	}
	if r.Restorer == nil {
		return time.Time{}, Errorf(CodeUnavailable, "store %s is to be restored, and this worker restores nothing: ORCH_BACKUP_GATE names no gate to read backups from", s.StoreID)
	}
	s.Restoring = true
	release, err := engine.Release(s)
	if err == nil {
		at, err = r.Restorer.Restored(ctx, s, release)
	}
	if err != nil || !at.IsZero() {
		return at, err
	}
	applied, err := r.release(ctx, s, release, j)
	if err == nil {
		err = j.step(ctx, OpProvision, s, StepReady, func(ctx context.Context) error { return r.Readiness.Wait(ctx, s, r.readyBy(s, applied.At)) })
	}
	if err == nil {
		err = j.step(ctx, OpProvision, s, StepRestore, func(ctx context.Context) error {
			return r.Restorer.Restore(ctx, s, release, time.Now().Add(RestoreTimeout))
		})
	}
	return time.Now(), err
}

package provision

import (
	"context"
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

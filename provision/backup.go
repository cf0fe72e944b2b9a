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

// BackupFailure is how the last backup of a store has failed, or the last test of one. The one before that was good is still there.
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
	engine, err := r.engineOf(s)
	if err != nil {
		return Backup{}, err
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
	// Passed saves in the cluster too that a backup of the store was tested.
	Passed(ctx context.Context, s Store, t RestoreTest)
}

// RestoreTimeout bounds one restore.
const RestoreTimeout = BackupTimeout

// restore puts the store back to the backup that was asked for, unless that was done. It returns when it was done; zero: there is none to be done. A store that is
// suspended waits for its resumption: its database does not run. Where nothing was touched the shop is started again, as it was.
func (r *Runner) restore(ctx context.Context, s Store, engine Engine, shop Release, j journal) (at time.Time, err error) {
	if s.Restore == nil || s.Suspended {
		return time.Time{}, nil
	}
	if at, err = r.restoreData(ctx, s, engine, j); errors.Is(err, ErrRestoreRefused) {
		if _, again := r.release(ctx, s, shop, j); again != nil {
			err = again // and the next run is refused once more
		}
	}
	return at, err
}

// restoreData is release and ready of the database alone → restore, unless that was done. It returns when it was done.
func (r *Runner) restoreData(ctx context.Context, s Store, engine Engine, j journal) (at time.Time, err error) {
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
	return time.Now(), err
}

// RestoreTest is the proof that a backup can be restored: a shop was made of it beside the store's own, had all orders and products that were counted, and passed its check.
type RestoreTest struct {
	Run      string    `json:"run"`       // of the backup
	BackupAt time.Time `json:"backup_at"` // when the backup began
	At       time.Time `json:"at"`        // when the shop had passed
	Seconds  int64     `json:"seconds"`   // that the test took, from the beginning to then
}

// RestoreTestTimeout bounds one restore test. What is left of one that is older was left behind.
const RestoreTestTimeout = RestoreTimeout + 30*time.Minute

// endTestGrace is for how long a restore test that was ended keeps the store from what is asked of it.
const endTestGrace = time.Second

// restoreTest is what is beside the store while a backup of it is tested.
func (s Store) restoreTest(b Backup) Store {
	test := s
	test.Namespace, test.RestoreTest, test.Restore = "restore-"+StoreLabel(s.StoreID), true, &Restore{Generation: s.Generation, Backup: b}
	test.Rotation, test.Grave, test.Protected = 0, nil, false
	return test
}

// TestRestore restores a backup of a store into a namespace beside it that nothing outside reaches and that reaches nothing outside, checks the shop as a
// shopper would, and removes it. The store itself is not touched. It may be interrupted and called again at any point, and begins anew then. CodeCrash, CodeTimeout and
// CodeConflict say that the backup was not restored, or that its shop did not pass, and why.
func (r *Runner) TestRestore(ctx context.Context, s Store, b Backup) (RestoreTest, error) {
	began, test := time.Now(), s.restoreTest(b)
	engine, err := r.engineOf(s)
	if err != nil {
		return RestoreTest{}, err
	}
	if err := r.Namespaces.Remove(ctx, test); err != nil { // what one has left that was interrupted
		return RestoreTest{}, causeOf(ctx, err)
	}
	err = r.passes(ctx, test, engine)
	passed := time.Now()
	r.endTest(ctx, test)
	if err != nil {
		return RestoreTest{}, causeOf(ctx, err)
	}
	t := RestoreTest{Run: b.Run, BackupAt: b.At, At: passed.UTC().Truncate(time.Second), Seconds: int64(passed.Sub(began).Seconds())}
	r.Restorer.Passed(ctx, s, t)
	return t, nil
}

// passes is namespace → credentials → restore → release → ready → verify.
func (r *Runner) passes(ctx context.Context, test Store, engine Engine) error {
	inside := *r
	inside.PublicClient = nil // the store's address leads to the store
	j := journal{write: func(Step) {}}
	release, err := engine.Release(test)
	if err != nil {
		return err
	}
	unfinished, err := r.Namespaces.Ensure(ctx, test)
	if err == nil && unfinished {
		err = Errorf(CodeUnavailable, "namespace %s is still being deleted", test.Namespace)
	}
	if err == nil {
		err = r.Credentials.Ensure(ctx, test, release.Credentials)
	}
	if err == nil {
		_, err = inside.restoreData(ctx, test, engine, j)
	}
	if err == nil {
		err = inside.applyEdition(ctx, test, engine, func(ctx context.Context) error {
			_, err := r.Releases.Apply(ctx, test, release)
			return err
		})
	}
	return err
}

// endTest removes what a restore test has made. Where the test was interrupted it does not wait for that, and needs no lease: nothing else is in the namespace. What is left is
// removed by the next test of the store, by its delete, or as a leftover.
func (r *Runner) endTest(ctx context.Context, test Store) {
	limit := r.DeleteTimeout
	if ctx.Err() != nil {
		limit = endTestGrace
	}
	ctx, cancel := context.WithTimeout(WithFence(context.WithoutCancel(ctx), open{}), limit)
	defer cancel()
	_ = r.Namespaces.Remove(ctx, test)
}

// EndRestoreTest removes what a restore test of the store has left behind. Not found is success.
func (r *Runner) EndRestoreTest(ctx context.Context, s Store) error {
	return r.Namespaces.Remove(ctx, s.restoreTest(Backup{}))
}

package provision_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
)

// backups answers what it is told to.
type backups struct {
	made     provision.Backup
	err      error
	calls    int
	deadline time.Time
	release  provision.Release
}

func (b *backups) MakeBackup(_ context.Context, _ provision.Store, r provision.Release, deadline time.Time) (provision.Backup, error) {
	b.calls++
	b.release, b.deadline = r, deadline
	return b.made, b.err
}

func TestBackupOfAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		maker := &backups{made: provision.Backup{Run: "r", Orders: 2}}
		r := &provision.Runner{BackupMaker: maker, Engines: map[string]provision.Engine{"toy": engine{}}}
		made, err := r.Backup(t.Context(), store(1))
		if err != nil || made != maker.made || !maker.deadline.Equal(time.Now().Add(provision.BackupTimeout)) || maker.release.Chart == "" {
			t.Errorf("%+v, %v; its deadline is %s, its chart %q", made, err, maker.deadline, maker.release.Chart)
		}
	})
}

// TestBackupThatCannotBe: the error says why, and nothing is asked of the cluster.
func TestBackupThatCannotBe(t *testing.T) {
	s := store(1)
	suspended, unknown := s, s
	suspended.Suspended, unknown.Engine = true, "another"
	maker := &backups{}
	r := &provision.Runner{BackupMaker: maker, Engines: map[string]provision.Engine{"toy": engine{}}}
	for name, c := range map[string]struct {
		runner *provision.Runner
		store  provision.Store
		code   provision.Code
		says   string
	}{
		"a worker without a gate": {&provision.Runner{Engines: r.Engines}, s, provision.CodeUnavailable, "ORCH_BACKUP_GATE"},
		"a store that is stopped": {r, suspended, provision.CodeConflict, "is suspended"},
		"an unknown engine":       {r, unknown, provision.CodeInvalid, `engine "another"`},
	} {
		if _, err := c.runner.Backup(t.Context(), c.store); provision.CodeOf(err) != c.code || !strings.Contains(provision.Public(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if maker.calls > 0 {
		t.Error("a backup was made")
	}
}

// TestBackupThatIsEnded: a newer request is the cause, whatever the cluster makes of it.
func TestBackupThatIsEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	superseded := errors.New("superseded")
	cancel(superseded)
	r := &provision.Runner{BackupMaker: &backups{err: context.Canceled}, Engines: map[string]provision.Engine{"toy": engine{}}}
	if _, err := r.Backup(ctx, store(1)); !errors.Is(err, superseded) {
		t.Errorf("%v", err)
	}
}

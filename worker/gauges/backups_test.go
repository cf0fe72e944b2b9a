package gauges

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

type fixedAges struct {
	kind queue.MaintenanceKind
	than time.Duration
	err  error
}

func (f *fixedAges) Ages(_ context.Context, kind queue.MaintenanceKind, engines []string, than time.Duration) (map[string]record.BackupAge, error) {
	f.kind, f.than = kind, than
	return map[string]record.BackupAge{engines[0]: {Stores: 3, Overdue: 1, Oldest: time.Now().Add(-time.Hour)}, engines[1]: {}}, f.err
}

func TestBackupGaugesShowHowOldBackupsAre(t *testing.T) {
	engines, log := []string{"medusa", "woocommerce"}, slog.New(slog.DiscardHandler)
	records := &fixedAges{}
	values := gathered(t, Backups(records, engines, 24*time.Hour, log))
	if age := values["orchestrator_backup_age_seconds medusa"]; age < 3600 || age > 3660 || values["orchestrator_backup_stores medusa"] != 3 || values["orchestrator_backups_overdue medusa"] != 1 {
		t.Errorf("collected %v", values)
	}
	if age, shown := values["orchestrator_backup_age_seconds woocommerce"]; age != 0 || !shown || records.than != 48*time.Hour || records.kind != queue.Backup {
		t.Errorf("collected %v, of those older than %s", values, records.than)
	}
	for name, none := range map[string]map[string]float64{
		"without backups":     gathered(t, Backups(records, engines, 0, log)),
		"while Redis is away": gathered(t, Backups(&fixedAges{err: errors.New("away")}, engines, time.Hour, log)),
	} {
		if len(none) > 0 {
			t.Errorf("%s: collected %v", name, none)
		}
	}
}

func TestRestoreTestGaugesShowForHowLongNoneHasPassed(t *testing.T) {
	engines, log := []string{"medusa", "woocommerce"}, slog.New(slog.DiscardHandler)
	records := &fixedAges{}
	values := gathered(t, RestoreTests(records, engines, 90*24*time.Hour, log))
	if age := values["orchestrator_restore_test_age_seconds medusa"]; age < 3600 || age > 3660 || values["orchestrator_restore_test_stores medusa"] != 3 || values["orchestrator_restore_tests_overdue medusa"] != 1 {
		t.Errorf("collected %v", values)
	}
	if records.kind != queue.RestoreTest || records.than != 135*24*time.Hour {
		t.Errorf("asked for %s older than %s", records.kind, records.than)
	}
	if none := gathered(t, RestoreTests(records, engines, 0, log)); len(none) > 0 {
		t.Errorf("without tests: collected %v", none)
	}
}

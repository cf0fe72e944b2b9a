package gauges

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"orchestrator/worker/record"
)

type fixedAges struct {
	than time.Duration
	err  error
}

func (f *fixedAges) Ages(_ context.Context, engines []string, than time.Duration) (map[string]record.BackupAge, error) {
	f.than = than
	return map[string]record.BackupAge{engines[0]: {Stores: 3, Overdue: 1, Oldest: time.Now().Add(-time.Hour)}, engines[1]: {}}, f.err
}

func TestBackupGaugesShowHowOldBackupsAre(t *testing.T) {
	engines, log := []string{"medusa", "woocommerce"}, slog.New(slog.DiscardHandler)
	records := &fixedAges{}
	values := gathered(t, Backups(records, engines, 24*time.Hour, log))
	if age := values["orchestrator_backup_age_seconds medusa"]; age < 3600 || age > 3660 || values["orchestrator_backup_stores medusa"] != 3 || values["orchestrator_backups_overdue medusa"] != 1 {
		t.Errorf("collected %v", values)
	}
	if age, shown := values["orchestrator_backup_age_seconds woocommerce"]; age != 0 || !shown || records.than != 48*time.Hour {
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

package workerapp

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	clusterbackup "orchestrator/provision/cluster/backup"
	"orchestrator/worker/record"
)

// minBackupEvery keeps a mistyped unit from having every store read all the time.
const minBackupEvery = time.Minute

// backups is off where this worker has no slots for them.
func (c Config) backups() record.BackupPolicy {
	if c.MaintenanceSlots == 0 {
		return record.BackupPolicy{}
	}
	return record.BackupPolicy{Every: c.BackupEvery, AtOnce: c.BackupsAtOnce}
}

// backupAccess opens nothing where no gate is set.
func (c Config) backupAccess() clusterbackup.Access {
	return clusterbackup.Access{Gate: c.BackupGate, Keys: c.BackupKey, GateKeys: c.BackupGateKey}
}

// validateBackups: what backups need is set as a whole, or not at all.
func (c Config) validateBackups() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.BackupEvery != 0 && c.BackupEvery < minBackupEvery, "ORCH_BACKUP_EVERY is %s; it must be at least %s, or 0", c.BackupEvery, minBackupEvery)
	if c.BackupEvery == 0 && c.BackupGate == "" && c.BackupKey.IsZero() && c.BackupGateKey.IsZero() {
		return errors.Join(errs...)
	}
	refuse(c.BackupGate == "", "ORCH_BACKUP_GATE is missing: backups need a gate to be sent to")
	refuse(c.BackupKey.IsZero(), "ORCH_BACKUP_KEY is missing: the passwords of backups are derived from it")
	refuse(c.BackupGateKey.IsZero(), "ORCH_BACKUP_GATE_KEY is missing: it is the gate's own")
	refuse(c.BackupKey.Shares(c.BackupGateKey), "ORCH_BACKUP_KEY and ORCH_BACKUP_GATE_KEY have a key in common: a gate that is broken into could read backups")
	refuse(c.Installation == "", "ORCH_INSTALLATION is missing: the passwords of backups are derived from it too, and a random one is lost with Redis")
	if c.BackupGate != "" {
		gate, err := url.Parse(c.BackupGate)
		refuse(err != nil || (gate.Scheme != "https" && gate.Scheme != "http") || gate.Host == "" || gate.User != nil || (gate.Path != "" && gate.Path != "/") || gate.RawQuery != "" || gate.Fragment != "",
			"ORCH_BACKUP_GATE must be http(s)://host[:port], without a login or a path")
	}
	return errors.Join(errs...)
}

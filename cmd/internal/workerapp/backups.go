package workerapp

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	clusterbackup "orchestrator/provision/cluster/backup"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// minBackupEvery keeps a mistyped unit from having every store read all the time.
const minBackupEvery = time.Minute

// backups is off where this worker has no slots for them.
func (c Config) backups() record.BackupPolicy {
	if c.MaintenanceSlots == 0 {
		return record.BackupPolicy{}
	}
	return record.BackupPolicy{Kind: queue.Backup, Every: c.BackupEvery, OnRequest: c.BackupGate != "" || c.Mock, AtOnce: c.BackupsAtOnce}
}

// restoreTests are off where no backups are made by the clock.
func (c Config) restoreTests() record.BackupPolicy {
	if c.backups().Every == 0 {
		return record.BackupPolicy{}
	}
	return record.BackupPolicy{Kind: queue.RestoreTest, Every: c.RestoreTestEvery, AtOnce: c.RestoreTestsAtOnce}
}

// backupAccess opens nothing where no gate is set.
func (c Config) backupAccess() (clusterbackup.Access, error) {
	ca, err := c.backupGateCA()
	return clusterbackup.Access{Gate: c.BackupGate, GateCA: ca, Keys: c.BackupKey, GateKeys: c.BackupGateKey}, err
}

func (c Config) backupGateCA() (string, error) {
	if c.BackupGateCA == "" {
		return "", nil
	}
	text, err := os.ReadFile(c.BackupGateCA)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s has no certificate in PEM", c.BackupGateCA)
	}
	return string(text), named("ORCH_BACKUP_GATE_CA_FILE", err)
}

// validateBackups: what backups need is set as a whole, or not at all.
func (c Config) validateBackups() error {
	_, err := c.backupGateCA()
	errs := []error{err}
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.BackupEvery != 0 && c.BackupEvery < minBackupEvery, "ORCH_BACKUP_EVERY is %s; it must be at least %s, or 0", c.BackupEvery, minBackupEvery)
	refuse(c.RestoreTestEvery != 0 && c.RestoreTestEvery < minBackupEvery, "ORCH_RESTORE_TEST_EVERY is %s; it must be at least %s, or 0", c.RestoreTestEvery, minBackupEvery)
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

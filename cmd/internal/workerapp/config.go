package workerapp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"orchestrator/provision/backup"
	"orchestrator/worker"
	"orchestrator/worker/callback"
)

// Config is the configuration of a worker besides [service.Common].
type Config struct {
	Access

	Backend       string `env:"BACKEND_API_BASE,required,notEmpty" help:"URL of the backend that receives the callbacks, with or without /api at its end"`
	WebhookSecret string `env:"ORCH_WEBHOOK_SECRET" help:"whsec_… secret that callbacks are signed with (Standard Webhooks); two, separated by a comma, while it is rotated; empty: they are not signed"`
	BackendCA     string `env:"ORCH_BACKEND_CA_FILE" help:"PEM file of the authorities that the backend's certificate is checked with instead of the system's"`
	BackendCert   string `env:"ORCH_BACKEND_CERT_FILE" help:"PEM file of the certificate that callbacks present to the backend"`
	BackendKey    string `env:"ORCH_BACKEND_KEY_FILE" help:"PEM file of its key"`
	Progress      bool   `env:"ORCH_PROGRESS_CALLBACKS" envDefault:"false" help:"send callbacks for PROVISIONING and DELETING too"`

	Installation string `env:"ORCH_INSTALLATION" help:"name of this installation, in the label orchestrator/installation of its stores' namespaces; stores of others are left alone. Empty: a random one in Redis, which a loss of Redis loses too"`

	Mock       bool   `env:"ORCH_MOCK" envDefault:"false" help:"true: use no cluster, simulate every step"`
	StoreRole  string `env:"ORCH_STORE_CLUSTER_ROLE" help:"ClusterRole that the worker binds to its own account in each namespace of a store; empty: it binds none, since it has the rights already"`
	AppEnv     string `env:"APP_ENV" envDefault:"development" help:"selects values-<env>.yaml of the charts"`
	ValuesFile string `env:"STORE_VALUES_FILE" help:"YAML file with the values of this installation, which override those of the charts"`
	SecretsDir string `env:"ORCH_STORE_SECRETS_DIR" help:"folder with a folder for each Secret that every store gets a copy of, such as pull Secrets, with a file for each key; read at each run"`
	Verify     string `env:"ORCH_VERIFY" envDefault:"pod" help:"when a store is READY: off: its pods are ready; pod: and its shop was checked over a port-forward; public: and its store_url answers (no secret is sent there)"`
	// Prefixes parse as text: a mistake in one is reported by the variable's name.
	VerifyAllow   []netip.Prefix `env:"ORCH_VERIFY_ALLOW_CIDRS" help:"networks that are not public and may hold shops, for ORCH_VERIFY=public; separated by commas, such as 10.0.0.0/8"`
	VerifyAddress string         `env:"ORCH_VERIFY_ADDRESS" help:"IP address or host name where ORCH_VERIFY=public finds every shop, at the port of its store_url, such as that of the ingress controller where the worker's DNS does not know the shops; empty: DNS says where each is"`
	VerifyCA      string         `env:"ORCH_VERIFY_CA_FILE" help:"PEM file of authorities that the certificates of shops are checked with besides the system's, for ORCH_VERIFY=public"`

	PollAttempts  int           `env:"ORCH_POLL_ATTEMPTS" envDefault:"30" help:"multiplied by ORCH_POLL_INTERVAL: the readiness timeout of a store, from the time its release was applied"`
	PollInterval  time.Duration `env:"ORCH_POLL_INTERVAL" envDefault:"10s" help:"see ORCH_POLL_ATTEMPTS"`
	DeleteTimeout time.Duration `env:"ORCH_DELETE_TIMEOUT" envDefault:"10m" help:"time after which a delete fails"`

	ProvisionSlots     int           `env:"ORCH_PROVISION_CONCURRENCY" envDefault:"500" help:"stores provisioned at the same time by this worker, per cluster; most of them only wait"`
	DeleteSlots        int           `env:"ORCH_DELETE_CONCURRENCY" envDefault:"100" help:"stores deleted at the same time by this worker, per cluster"`
	CallbackSlots      int           `env:"ORCH_CALLBACK_CONCURRENCY" envDefault:"50" help:"callbacks sent at the same time by this worker, per cluster"`
	Writes             int           `env:"ORCH_CLUSTER_WRITES" envDefault:"0" help:"Helm operations and other writes at the same time, per cluster; 0: as many as the API server answers well"`
	CreatorLimit       int           `env:"ORCH_MAX_PER_CREATOR" envDefault:"0" help:"new stores of one creator in progress at the same time; the others wait, in order of acceptance; 0: no limit"`
	MaintenanceSlots   int           `env:"ORCH_MAINTENANCE_CONCURRENCY" envDefault:"10" help:"stores audited at the same time by this worker, per cluster; 0: this worker audits none"`
	AuditEvery         time.Duration `env:"ORCH_AUDIT_EVERY" envDefault:"24h" help:"time between the beginnings of two passes in which each store is compared with what its release says; 0: no pass"`
	AuditRate          int           `env:"ORCH_AUDIT_RATE" envDefault:"1" help:"stores a second that such a pass comes to"`
	Drift              string        `env:"ORCH_DRIFT" envDefault:"report" help:"what follows from a difference that an audit finds: report: it is shown; repair: and mended; off: there are no audits"`
	BackupEvery        time.Duration `env:"ORCH_BACKUP_EVERY" envDefault:"0s" help:"time between two backups of a store, such as 24h; 0: no store is backed up by the clock"`
	BackupGate         string        `env:"ORCH_BACKUP_GATE" help:"URL of the gate that backups are sent to, as the stores' pods reach it"`
	BackupGateCA       string        `env:"ORCH_BACKUP_GATE_CA_FILE" help:"PEM file of the authorities that stores' pods check the gate's certificate with instead of those of their image"`
	BackupKey          backup.Keys   `env:"ORCH_BACKUP_KEY" help:"key that the passwords of the stores' repositories are derived from, at least 32 characters; the one before behind a comma while it is rotated. Without it no backup can be read: keep it where the stores are not"`
	BackupGateKey      backup.Keys   `env:"ORCH_BACKUP_GATE_KEY" help:"key of the gate, which stores' passwords for it are derived from; the first is used"`
	BackupsAtOnce      int           `env:"ORCH_BACKUPS_AT_ONCE" envDefault:"4" help:"backups made at the same time in the whole installation; each holds one of ORCH_MAINTENANCE_CONCURRENCY"`
	RestoreTestEvery   time.Duration `env:"ORCH_RESTORE_TEST_EVERY" envDefault:"2160h" help:"time between two restore tests of a store, where backups are made by the clock: its last good backup is restored beside it, checked and removed; 0: none is tested"`
	RestoreTestsAtOnce int           `env:"ORCH_RESTORE_TESTS_AT_ONCE" envDefault:"2" help:"restore tests at the same time in the whole installation; each needs the room of a store, and holds one of ORCH_MAINTENANCE_CONCURRENCY"`
	HealFailed         time.Duration `env:"ORCH_HEAL_FAILED" envDefault:"0s" help:"for how long after its FAILED a store is told READY after all once its pods have become ready, such as 6h; for a timeout, a pod without a node, a volume, an image, a quota or a crash; 0: FAILED is the end"`
	HoldAfter          int           `env:"ORCH_HOLD_AFTER" envDefault:"5" help:"creators whose stores fail within ten minutes for one cause of the installation (values, chart, admission, registry, image) before the other stores of that engine and cluster wait instead; 0: they never wait"`
	QueuePoll          time.Duration `env:"ORCH_QUEUE_POLL" envDefault:"1s" help:"how often an idle queue is polled, for tasks that no message tells of; a new request is taken at once"`
}

// limits are the limits of a worker whose generations end after the given time.
func (c Config) limits(generationTimeout time.Duration) worker.Limits {
	l := worker.DefaultLimits()
	l.ReadinessTimeout = time.Duration(c.PollAttempts) * c.PollInterval
	l.DeleteTimeout = c.DeleteTimeout
	l.GenerationTimeout = generationTimeout
	l.CreatorLimit, l.HoldAfter, l.HealFailed = c.CreatorLimit, c.HoldAfter, c.HealFailed
	return l
}

// audit is off where this worker has no slots for it: it would only fill the queue.
func (c Config) audit() worker.AuditPolicy {
	if c.Drift == "off" || c.MaintenanceSlots == 0 {
		return worker.AuditPolicy{}
	}
	return worker.AuditPolicy{Every: c.AuditEvery, Rate: c.AuditRate, Repair: c.Drift == "repair"}
}

func (c Config) backendTLS() callback.TLSFiles {
	return callback.TLSFiles{CA: c.BackendCA, Cert: c.BackendCert, Key: c.BackendKey}
}

// Validate reports all mistakes at once, by the names of the variables.
func (c Config) Validate() error {
	_, err := c.kubeconfigText()
	return errors.Join(err, c.validateCallbacks(), c.validateChoices(), c.validatePublic(), c.validateInstallation(), c.validateSecrets(), c.validateBackups(), c.validateLimits())
}

// validateCallbacks creates senders only to check their settings. The parser of the environment reports an empty URL.
func (c Config) validateCallbacks() error {
	var backendErr error
	if c.Backend != "" {
		_, backendErr = callback.NewSender(c.Backend, "", "", callback.TLSFiles{})
	}
	_, secretErr := callback.NewSender("http://backend", "", c.WebhookSecret, callback.TLSFiles{})
	_, filesErr := callback.NewSender("http://backend", "", "", c.backendTLS())
	return errors.Join(named("BACKEND_API_BASE", backendErr), named("ORCH_WEBHOOK_SECRET", secretErr), filesErr)
}

func (c Config) validateChoices() error {
	var errs []error
	if !slices.Contains([]string{"pod", "public", "off"}, c.Verify) {
		errs = append(errs, fmt.Errorf("ORCH_VERIFY is %q; it must be pod, public or off", c.Verify))
	}
	if !slices.Contains([]string{"report", "repair", "off"}, c.Drift) {
		errs = append(errs, fmt.Errorf("ORCH_DRIFT is %q; it must be report, repair or off", c.Drift))
	}
	if strings.ContainsAny(c.AppEnv, `/\`) {
		errs = append(errs, fmt.Errorf("APP_ENV is %q; it must not contain a slash, since it is part of a file name", c.AppEnv))
	}
	return errors.Join(errs...)
}

// validateLimits checks each limit, and only if every one is valid by itself, that they fit together.
func (c Config) validateLimits() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.PollAttempts < 1, "ORCH_POLL_ATTEMPTS is %d; it must be at least 1", c.PollAttempts)
	refuse(c.PollInterval <= 0, "ORCH_POLL_INTERVAL is %s; it must be positive", c.PollInterval)
	refuse(c.DeleteTimeout <= 0, "ORCH_DELETE_TIMEOUT is %s; it must be positive", c.DeleteTimeout)
	refuse(c.Writes < 0, "ORCH_CLUSTER_WRITES is %d; it must not be negative (0 means that it adapts to the API server)", c.Writes)
	refuse(c.CreatorLimit < 0, "ORCH_MAX_PER_CREATOR is %d; it must not be negative (0 means no limit)", c.CreatorLimit)
	refuse(c.HealFailed < 0, "ORCH_HEAL_FAILED is %s; it must not be negative", c.HealFailed)
	refuse(c.HoldAfter < 0, "ORCH_HOLD_AFTER is %d; it must not be negative (0 means that no store waits)", c.HoldAfter)
	refuse(c.MaintenanceSlots < 0, "ORCH_MAINTENANCE_CONCURRENCY is %d; it must not be negative", c.MaintenanceSlots)
	refuse(c.RestoreTestsAtOnce < 1, "ORCH_RESTORE_TESTS_AT_ONCE is %d; it must be at least 1", c.RestoreTestsAtOnce)
	refuse(c.BackupsAtOnce < 1, "ORCH_BACKUPS_AT_ONCE is %d; it must be at least 1", c.BackupsAtOnce)
	refuse(c.AuditEvery < 0, "ORCH_AUDIT_EVERY is %s; it must not be negative", c.AuditEvery)
	refuse(c.AuditRate < 1, "ORCH_AUDIT_RATE is %d; it must be at least 1", c.AuditRate)
	refuse(c.ProvisionSlots < 1, "ORCH_PROVISION_CONCURRENCY is %d; it must be at least 1", c.ProvisionSlots)
	refuse(c.DeleteSlots < 1, "ORCH_DELETE_CONCURRENCY is %d; it must be at least 1", c.DeleteSlots)
	refuse(c.CallbackSlots < 1, "ORCH_CALLBACK_CONCURRENCY is %d; it must be at least 1", c.CallbackSlots)
	refuse(c.QueuePoll < 10*time.Millisecond || c.QueuePoll > 10*time.Second, "ORCH_QUEUE_POLL is %s; it must be between 10ms and 10s", c.QueuePoll)
	if len(errs) == 0 {
		return named("ORCH_POLL_ATTEMPTS, ORCH_POLL_INTERVAL and ORCH_DELETE_TIMEOUT", c.limits(worker.DefaultLimits().GenerationTimeout).Validate())
	}
	return errors.Join(errs...)
}

// named adds the variable's name to the error of a library that does not know it.
func named(variable string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", variable, err)
}

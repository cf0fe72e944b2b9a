package workerapp

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"orchestrator/worker"
)

// Config is what a worker is told besides [service.Common].
type Config struct {
	Access

	Backend       string `env:"BACKEND_API_BASE,required,notEmpty" help:"URL of the backend that is told what became of stores, with or without /api at its end"`
	WebhookSecret string `env:"ORCH_WEBHOOK_SECRET" help:"whsec_… secret that callbacks are signed with (Standard Webhooks); empty: not signed"`
	Progress      bool   `env:"ORCH_PROGRESS_CALLBACKS" envDefault:"false" help:"tell PROVISIONING and DELETING too"`

	Mock       bool   `env:"ORCH_MOCK" envDefault:"false" help:"no cluster: every step is simulated"`
	StoreRole  string `env:"ORCH_STORE_CLUSTER_ROLE" help:"ClusterRole that the worker binds itself to in each store's namespace; empty: it has its rights already"`
	AppEnv     string `env:"APP_ENV" envDefault:"development" help:"picks values-<env>.yaml of the charts"`
	ValuesFile string `env:"STORE_VALUES_FILE" help:"YAML values of this installation, over those of the charts"`
	Verify     string `env:"ORCH_VERIFY" envDefault:"pod" help:"pod: a store is READY once its shop was checked over a port-forward; public: and once it answered at its store_url, without a secret being sent there; off: once its pods are ready"`

	PollAttempts  int           `env:"ORCH_POLL_ATTEMPTS" envDefault:"30" help:"times ORCH_POLL_INTERVAL: the time a store has to become ready after its release was applied"`
	PollInterval  time.Duration `env:"ORCH_POLL_INTERVAL" envDefault:"10s" help:"see ORCH_POLL_ATTEMPTS; a number alone means seconds"`
	DeleteTimeout time.Duration `env:"ORCH_DELETE_TIMEOUT" envDefault:"10m" help:"time a delete has until it fails"`

	ProvisionSlots int           `env:"ORCH_PROVISION_CONCURRENCY" envDefault:"500" help:"stores provisioned at a time by this worker, on each of its clusters; most of them only wait"`
	DeleteSlots    int           `env:"ORCH_DELETE_CONCURRENCY" envDefault:"100" help:"stores deleted at a time by this worker, on each of its clusters"`
	CallbackSlots  int           `env:"ORCH_CALLBACK_CONCURRENCY" envDefault:"50" help:"callbacks sent at a time by this worker, for each of its clusters"`
	Writes         int           `env:"ORCH_CLUSTER_WRITES" envDefault:"0" help:"Helm operations and other writes to a cluster at a time; 0: twice the number of CPUs"`
	CreatorLimit   int           `env:"ORCH_MAX_PER_CREATOR" envDefault:"0" help:"new stores of one creator under way at a time; the others wait, in order of acceptance; 0: no limit"`
	QueuePoll      time.Duration `env:"ORCH_QUEUE_POLL" envDefault:"200ms" help:"how often an idle queue is asked"`
}

// limits are those of a worker whose generations end after patience.
func (c Config) limits(patience time.Duration) worker.Limits {
	l := worker.DefaultLimits()
	l.ReadinessTimeout = time.Duration(c.PollAttempts) * c.PollInterval
	l.DeleteTimeout = c.DeleteTimeout
	l.GenerationTimeout = patience
	l.CreatorLimit = c.CreatorLimit
	return l
}

// Validate reports all mistakes at once.
func (c Config) Validate() error {
	_, err := c.text()
	errs := []error{err, c.limits(worker.DefaultLimits().GenerationTimeout).Validate()}
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(!slices.Contains([]string{"pod", "public", "off"}, c.Verify), "ORCH_VERIFY is %q; it must be pod, public or off", c.Verify)
	refuse(c.ProvisionSlots < 1 || c.DeleteSlots < 1 || c.CallbackSlots < 1, "ORCH_PROVISION_CONCURRENCY, ORCH_DELETE_CONCURRENCY and ORCH_CALLBACK_CONCURRENCY must be at least 1")
	refuse(c.QueuePoll < 10*time.Millisecond || c.QueuePoll > 10*time.Second, "ORCH_QUEUE_POLL is %s; it must be between 10ms and 10s", c.QueuePoll)
	return errors.Join(errs...)
}

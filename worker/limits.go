package worker

import (
	"errors"
	"fmt"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// The times of a lease. A run stops writing by its own clock before another run can take its lease.
const (
	leaseTTL       = 30 * time.Second
	renewEvery     = 10 * time.Second
	fenceAfter     = 25 * time.Second // from the start of the last good renewal
	acquireTimeout = 15 * time.Second
	acquireEvery   = 250 * time.Millisecond
	redisTimeout   = 5 * time.Second // one command
	outcomeTimeout = 15 * time.Second
	helmTimeout    = provision.ReleaseTimeout // the longest thing that a cancelled run still waits for
	drainMargin    = 15 * time.Second
	backupRetry    = time.Hour     // of a backup that has failed, at most
	testRetry      = 6 * time.Hour // the same of a restore test
)

// ShutdownTimeout is how long a stopping worker waits for its runs to let go. A pod's grace period must be longer.
const ShutdownTimeout = helmTimeout + outcomeTimeout + drainMargin

// Limits are what an installation decides about runs.
type Limits struct {
	ReadinessTimeout  time.Duration // readiness budget, from the release's application to a verified shop
	DeleteTimeout     time.Duration // of one delete
	MaxAttempts       int           // counted attempts; the failure of the last one is the outcome
	MaxCrashes        int           // runs that never ended
	CallbackMaxAge    time.Duration // how long a callback is tried
	GenerationTimeout time.Duration // from acceptance to the end of a generation, for one accepted again by the worker
	CreatorLimit      int           // new stores of one creator in progress at a time; 0: no limit
	HealFailed        time.Duration // for how long after its failure a store may become READY by itself; 0: it may not
	HoldAfter         int           // creators whose stores fail for one cause of the installation, before the others wait; 0: they never wait
}

// DefaultLimits are the limits of an installation that sets none.
func DefaultLimits() Limits {
	return Limits{ReadinessTimeout: 30 * 10 * time.Second, DeleteTimeout: 10 * time.Minute, MaxAttempts: 10, MaxCrashes: 5,
		CallbackMaxAge: 72 * time.Hour, GenerationTimeout: 24 * time.Hour, HoldAfter: 5}
}

// run is the limit of one run: all that it may wait for, and time for the calls in between.
func (l Limits) run() time.Duration { return l.ReadinessTimeout + l.DeleteTimeout + 10*time.Minute }

// runOf is the limit of one run of this store: a restore takes the time of its data.
func (l Limits) runOf(s provision.Store) time.Duration {
	if s.Restore == nil {
		return l.run()
	}
	return min(l.run()+provision.RestoreTimeout, queue.TaskTimeout-ShutdownTimeout)
}

// Validate reports limits that contradict each other, all at once.
func (l Limits) Validate() error {
	var errs []error
	if l.ReadinessTimeout <= 0 || l.DeleteTimeout <= 0 {
		errs = append(errs, errors.New("the readiness budget and the delete timeout must be positive"))
	}
	if l.run() >= queue.TaskTimeout {
		errs = append(errs, fmt.Errorf("readiness budget %s and delete timeout %s together must stay below %s",
			l.ReadinessTimeout, l.DeleteTimeout, queue.TaskTimeout-(l.run()-l.ReadinessTimeout-l.DeleteTimeout)))
	}
	if l.MaxAttempts < 1 || l.MaxCrashes < 1 {
		errs = append(errs, errors.New("attempts and crashes must be at least 1"))
	}
	if l.CreatorLimit < 0 {
		errs = append(errs, errors.New("the limit of new stores per creator must not be negative; 0 means none"))
	}
	if l.HealFailed < 0 {
		errs = append(errs, errors.New("the time in which a failed store may heal must not be negative; 0 means that none does"))
	}
	if l.HoldAfter < 0 {
		errs = append(errs, errors.New("the number of creators that may fail before others wait must not be negative; 0 means that none waits"))
	}
	if l.CallbackMaxAge <= 0 || l.GenerationTimeout <= 0 {
		errs = append(errs, errors.New("the callbacks' maximum age and the generations' timeout must be positive"))
	}
	return errors.Join(errs...)
}

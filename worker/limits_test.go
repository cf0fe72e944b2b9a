package worker

import (
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/callback"
	"orchestrator/worker/queue"
)

func TestLimitsFenceARunBeforeItsLeaseExpires(t *testing.T) {
	// A run stops writing before another one can acquire the lease, and has tried to renew more than once before that.
	if fenceAfter >= leaseTTL || 2*renewEvery+redisTimeout > fenceAfter+time.Second {
		t.Errorf("renewed every %s, fenced after %s, open after %s", renewEvery, fenceAfter, leaseTTL)
	}
	// A run that crashed holds the lease for longer than a task waits for it: the task comes back later.
	if acquireTimeout+redisTimeout >= leaseTTL {
		t.Errorf("a task waits %s for a lease of %s", acquireTimeout, leaseTTL)
	}
}

func TestLimitsFitIntoOneAnother(t *testing.T) {
	l := DefaultLimits()
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	if step := max(l.ReadinessTimeout, l.DeleteTimeout, helmTimeout); step >= l.run() || l.ReadinessTimeout+l.DeleteTimeout+helmTimeout >= l.run() {
		t.Errorf("a step may take %s, a run %s", step, l.run())
	}
	if l.run()+ShutdownTimeout >= queue.TaskTimeout {
		t.Errorf("a run may take %s, a task %s", l.run(), queue.TaskTimeout)
	}
	restoring := provision.Store{Restore: &provision.Restore{}}
	if limit := l.runOf(restoring); limit < l.run()+provision.RestoreTimeout || l.runOf(provision.Store{}) != l.run() {
		t.Errorf("a run with a restore may take %s, another %s", limit, l.runOf(provision.Store{}))
	}
	long := l
	if long.ReadinessTimeout = 3 * time.Hour; long.Validate() != nil || long.runOf(restoring) >= queue.TaskTimeout {
		t.Errorf("a run with a restore may take %s, a task %s", long.runOf(restoring), queue.TaskTimeout)
	}
	if drain := helmTimeout + outcomeTimeout + redisTimeout + redisTimeout; drain >= ShutdownTimeout {
		t.Errorf("letting go may take %s, asynq waits %s", drain, ShutdownTimeout)
	}
	if one := redisTimeout + passwordTimeout + callback.Timeout + 2*redisTimeout; one >= claimTTL {
		t.Errorf("a callback may take %s, its claim %s", one, claimTTL)
	}
	if callback.Timeout+2*redisTimeout >= ShutdownTimeout {
		t.Error("a stopping worker does not wait for a callback in progress")
	}
}

func TestLimitsValidateReportsAllContradictions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Limits)
		want   int
	}{
		"nothing set":       {func(l *Limits) { *l = Limits{} }, 3},
		"no budget":         {func(l *Limits) { l.ReadinessTimeout = 0 }, 1},
		"no delete timeout": {func(l *Limits) { l.DeleteTimeout = -1 }, 1},
		"too long":          {func(l *Limits) { l.ReadinessTimeout = queue.TaskTimeout }, 1},
		"too long together": {func(l *Limits) { l.ReadinessTimeout, l.DeleteTimeout = queue.TaskTimeout/2, queue.TaskTimeout/2 }, 1},
		"just too long":     {func(l *Limits) { l.ReadinessTimeout += queue.TaskTimeout - l.run() }, 1},
		"just not too long": {func(l *Limits) { l.ReadinessTimeout += queue.TaskTimeout - l.run() - 1 }, 0},
		"no attempt":        {func(l *Limits) { l.MaxAttempts = 0 }, 1},
		"no crash":          {func(l *Limits) { l.MaxCrashes = 0 }, 1},
		"no timeout":        {func(l *Limits) { l.GenerationTimeout = 0 }, 1},
		"less than none":    {func(l *Limits) { l.CreatorLimit = -1 }, 1},
		"one per creator":   {func(l *Limits) { l.CreatorLimit = 1 }, 0},
		"callbacks once":    {func(l *Limits) { l.CallbackMaxAge = 0 }, 1},
		"everything":        {func(l *Limits) { *l = Limits{ReadinessTimeout: queue.TaskTimeout} }, 4},
	} {
		l := DefaultLimits()
		c.change(&l)
		got := 0
		if err := l.Validate(); err != nil {
			got = len(strings.Split(err.Error(), "\n"))
		}
		if got != c.want {
			t.Errorf("%s: %d mistakes (%v), want %d", name, got, l.Validate(), c.want)
		}
	}
}

package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

// errStopping is why runs end when the process does.
var errStopping = provision.Errorf(provision.CodeUnavailable, "this worker is stopping; another one goes on")

// decision is what follows from how a run ended, for the backend and for asynq.
type decision struct {
	final   bool // the outcome is recorded: success without an error, failure with one
	counted bool
	retry   bool
	delay   time.Duration

	nextCluster bool // a delete continues on another cluster: it has no outcome yet
}

// decide is the table of docs/reliability.md: how a run ended, how many counted attempts are left, what follows.
func decide(err error, run record.Run, l Limits) decision {
	code := provision.CodeOf(err)
	switch {
	case err == nil, code.Final():
		return decision{final: true}
	case errors.Is(err, errStopping):
		return decision{retry: true}
	case code == provision.CodeSuperseded:
		return decision{}
	case code == provision.CodeBusy, code == provision.CodeUnavailable:
		return decision{retry: true, delay: uncountedDelay(code)}
	case run.Attempts+1 >= l.MaxAttempts:
		return decision{final: true, counted: true}
	}
	return decision{retry: true, counted: true, delay: backoff(run.Attempts, 5*time.Second, 5*time.Minute)}
}

// errOnHold is why a run does not begin. The operators see the cause with the hold.
var errOnHold = provision.Errorf(provision.CodeBusy, "the stores of this engine and cluster wait, since several have failed for one cause; `orchestrator holds` shows it")

// onHold is what follows where a store has to wait until a cause is gone that is not its own: it asks again about once a minute, and is tried
// at once when the hold ends.
func onHold() decision { return decision{retry: true, delay: 30*time.Second + rand.N(time.Minute)} }

// unrecorded is what follows from an outcome that could not be recorded. The run itself has ended, so the attempt does not
// count, and is not the last one: the outcome has to be on record before the task is finished.
func unrecorded(err error) decision {
	if provision.CodeOf(err) == provision.CodeSuperseded {
		return decision{}
	}
	return decision{retry: true, delay: uncountedDelay(provision.CodeUnavailable)}
}

// uncountedDelay is the pause before a try that is not counted. It is spread, so that what an outage stopped does not come back
// as one wave.
func uncountedDelay(code provision.Code) time.Duration {
	if code == provision.CodeBusy {
		return 2*time.Second + rand.N(2*time.Second)
	}
	return 5*time.Second + rand.N(10*time.Second)
}

// throttleDelay is the pause before a throttled store tries again by itself: about as long again as it has waited. A slot that
// comes free while the task is on its way back to its queue is then found soon, and a long creator queue costs little.
func throttleDelay(waited time.Duration) time.Duration {
	d := min(max(waited, 2*time.Second), 5*time.Minute)
	return d/2 + rand.N(d)
}

// backoff doubles from base to most; the upper half is random.
func backoff(n int, base, most time.Duration) time.Duration {
	d := most
	if n < 30 {
		d = min(base<<n, most)
	}
	return d/2 + rand.N(d/2+1)
}

// retryError is the error that gives a task back to asynq. Its text is shown in the web UI, so it is the public one.
type retryError struct {
	cause   error
	delay   time.Duration
	counted bool
}

func (r *retryError) Error() string { return publicText(r.cause) }

// publicText is an error's code and public text: fit for the web UI, which masks nothing.
func publicText(err error) string {
	return fmt.Sprintf("%s: %s", provision.CodeOf(err), provision.Public(err))
}

// reply is the handler's error for asynq.
func (a decision) reply(err error) error {
	switch {
	case a.retry:
		return &retryError{cause: err, delay: a.delay, counted: a.counted}
	case a.final && err != nil:
		return fmt.Errorf("%s: %w", publicText(err), asynq.SkipRetry)
	}
	return nil
}

// isFailure keeps asynq from counting what does not count as an attempt.
func isFailure(err error) bool {
	if r, ok := errors.AsType[*retryError](err); ok {
		return r.counted
	}
	return !errors.Is(err, asynq.ErrLeaseExpired)
}

func retryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	if r, ok := errors.AsType[*retryError](err); ok {
		return r.delay
	}
	return uncountedDelay(provision.CodeUnavailable)
}

package worker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"pgregory.net/rapid"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

var finals = []provision.Code{provision.CodeInvalid, provision.CodeConflict, provision.CodeTimeout, provision.CodeImage, provision.CodeCrash,
	provision.CodeQuota, provision.CodeUnschedulable, provision.CodeVolume}

// The table of the design: what the run returned, attempts left, what is recorded, what asynq gets.
func TestDecide(t *testing.T) {
	limits := DefaultLimits()
	last := limits.MaxAttempts - 1
	internal := errors.New("something broke")
	type row struct {
		name     string
		err      error
		attempts int
		want     decision // without its delay
		from, to time.Duration
	}
	rows := []row{
		{"nil", nil, 0, decision{final: true}, 0, 0},
		{"nil, no attempts left", nil, last, decision{final: true}, 0, 0},
		{"superseded", errSuperseded, last, decision{}, 0, 0},
		{"busy", provision.Errorf(provision.CodeBusy, "x"), last, decision{retry: true}, 2 * time.Second, 4 * time.Second},
		{"unavailable", provision.Errorf(provision.CodeUnavailable, "x"), last, decision{retry: true}, 5 * time.Second, 15 * time.Second},
		{"lease lost", errLeaseLost, last, decision{retry: true}, 5 * time.Second, 15 * time.Second},
		{"internal, first", internal, 0, decision{retry: true, counted: true}, 2500 * time.Millisecond, 5 * time.Second},
		{"internal, fourth", internal, 3, decision{retry: true, counted: true}, 20 * time.Second, 40 * time.Second},
		{"internal, last but one", internal, last - 1, decision{retry: true, counted: true}, 150 * time.Second, 300 * time.Second},
		{"internal, last", internal, last, decision{final: true, counted: true}, 0, 0},
		{"stopping", errStopping, last, decision{retry: true}, 0, 0},
		{"stopping, wrapped", fmt.Errorf("step ready: %w", errStopping), 0, decision{retry: true}, 0, 0},
	}
	for _, code := range finals {
		rows = append(rows, row{string(code), provision.Errorf(code, "x"), 0, decision{final: true}, 0, 0})
	}
	for _, r := range rows {
		for range 50 { // delays are random
			got := decide(r.err, record.Run{Attempts: r.attempts}, limits)
			delay := got.delay
			if got.delay = 0; got != r.want {
				t.Fatalf("%s: %+v, want %+v", r.name, got, r.want)
			}
			if delay < r.from || delay > r.to {
				t.Fatalf("%s: again after %s, want %s to %s", r.name, delay, r.from, r.to)
			}
		}
	}
}

func TestDecisionReply(t *testing.T) {
	cause := provision.Wrap(provision.CodeQuota, errors.New("10.0.0.1"), "the quota is used up")
	for name, c := range map[string]struct {
		answer  decision
		err     error
		nothing bool
		skips   bool
		counted bool
		text    string
	}{
		"done":              {decision{final: true}, nil, true, false, false, ""},
		"superseded":        {decision{}, errSuperseded, true, false, false, ""},
		"failed":            {decision{final: true}, cause, false, true, true, "quota: the quota is used up: skip retry for the task"},
		"again, uncounted":  {decision{retry: true, delay: 3 * time.Second}, cause, false, false, false, "quota: the quota is used up"},
		"again, counted":    {decision{retry: true, counted: true, delay: 3 * time.Second}, cause, false, false, true, "quota: the quota is used up"},
		"internals, hidden": {decision{retry: true}, errors.New("10.0.0.1"), false, false, false, publicText(errors.New("other"))},
	} {
		err := c.answer.reply(c.err)
		if c.nothing {
			if err != nil {
				t.Errorf("%s: asynq gets %v", name, err)
			}
			continue
		}
		if err == nil || err.Error() != c.text || errors.Is(err, asynq.SkipRetry) != c.skips || isFailure(err) != c.counted {
			t.Errorf("%s: asynq gets %v, counted %v", name, err, isFailure(err))
		}
		if c.answer.retry && retryDelay(5, err, nil) != c.answer.delay {
			t.Errorf("%s: again after %s", name, retryDelay(5, err, nil))
		}
	}
}

func TestIsFailureOfWhatAsynqReports(t *testing.T) {
	if isFailure(asynq.ErrLeaseExpired) || isFailure(fmt.Errorf("recoverer: %w", asynq.ErrLeaseExpired)) {
		t.Error("a worker's death counts against the task")
	}
	if !isFailure(errors.New("a panic")) {
		t.Error("an unknown error does not count")
	}
	for range 50 {
		if d := retryDelay(3, asynq.ErrLeaseExpired, nil); d < 5*time.Second || d > 15*time.Second {
			t.Errorf("again after %s", d)
		}
	}
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 2000).Draw(t, "n")
		base := time.Duration(rapid.IntRange(1, 10).Draw(t, "base")) * time.Second
		most := time.Duration(rapid.IntRange(10, 7200).Draw(t, "most")) * time.Second
		limit := most
		if n < 13 { // a second doubled thirteen times is more than any most
			limit = min(base*time.Duration(1<<n), most)
		}
		if d := backoff(n, base, most); d < limit/2 || d > limit {
			t.Fatalf("%s, want %s to %s", d, limit/2, limit)
		}
	})
}

func TestUnrecordedIsRetried(t *testing.T) {
	if got := unrecorded(errSuperseded); got != (decision{}) {
		t.Errorf("overtaken: %+v", got)
	}
	for _, err := range []error{errLeaseLost, provision.Errorf(provision.CodeUnavailable, "Redis is away"), errors.New("a script is broken")} {
		got := unrecorded(err)
		if !got.retry || got.counted || got.final || got.delay < 5*time.Second {
			t.Errorf("%v: %+v", err, got)
		}
	}
}

package provision

import (
	"context"
	"time"
)

// Names of the steps, in the order of the two lists.
const (
	StepNamespace   = "namespace"
	StepCredentials = "credentials"
	StepRestore     = "restore"
	StepRelease     = "release"
	StepReady       = "ready"
	StepRotate      = "rotate"
	StepVerify      = "verify"
	StepVolumes     = "volumes"
	StepStopped     = "stopped"
)

// StepState is the state of a step.
type StepState string

// A step is started once and is then either done or failed.
const (
	StepStarted StepState = "started"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
)

// Step is one entry of a store's journal. It is only shown; no decision is made from it.
type Step struct {
	At         time.Time `json:"at"`
	Generation int64     `json:"generation"`
	Op         Op        `json:"op"`
	Name       string    `json:"name"`
	State      StepState `json:"state"`
	Millis     int64     `json:"millis,omitempty"` // from started to here
	Code       Code      `json:"code,omitempty"`
	Error      string    `json:"error,omitempty"` // the public text
	Tries      int       `json:"tries,omitempty"` // how many tries in a row failed like this one; 0: this one only
	Since      time.Time `json:"since,omitzero"`  // when the first of those began
	// RequestedBy and RequestID are of the request that a run is for, on the first entry of each run.
	RequestedBy string  `json:"requested_by,omitempty"`
	RequestID   string  `json:"request_id,omitempty"`
	Cause       error   `json:"-"` // for the log
	Outputs     Outputs `json:"-"` // of a step that is done
	Applied     Applied `json:"-"` // of the step release that is done
}

type waitsKey struct{}

// WithWaits returns a context in which steps say what they wait for, in public words; "" once they do not any more.
func WithWaits(ctx context.Context, tell func(text string)) context.Context {
	return context.WithValue(ctx, waitsKey{}, tell)
}

// TellWaits says what a step waits for just now.
func TellWaits(ctx context.Context, text string) {
	if tell, ok := ctx.Value(waitsKey{}).(func(string)); ok {
		tell(text)
	}
}

type journal struct {
	write  func(Step)
	around func(context.Context, Step) (context.Context, func(Step)) // may be nil
}

// step runs one step and writes a journal entry before and after it.
func (j journal) step(ctx context.Context, op Op, s Store, name string, run func(context.Context) error) error {
	return j.stepWithResult(ctx, op, s, name, func(ctx context.Context, _ *Step) error { return run(ctx) })
}

// stepWithResult is a step that sets what its entry says when it is done.
func (j journal) stepWithResult(ctx context.Context, op Op, s Store, name string, run func(context.Context, *Step) error) error {
	start := time.Now()
	entry := Step{At: start, Generation: s.Generation, Op: op, Name: name, State: StepStarted}
	j.write(entry)
	var after func(Step)
	if j.around != nil {
		ctx, after = j.around(ctx, entry)
	}
	done := entry
	err := run(ctx, &done)
	if err == nil {
		entry = done
	}
	entry.At, entry.State, entry.Millis = time.Now(), StepDone, time.Since(start).Milliseconds()
	if err != nil {
		err = causeOf(ctx, err)
		entry.State, entry.Code, entry.Error, entry.Cause = StepFailed, CodeOf(err), Public(err), err
	}
	if after != nil {
		after(entry)
	}
	j.write(entry)
	return err
}

// causeOf is err, or the cause of ctx where the end of ctx made the step fail. An error with a final code is kept: it says
// more.
func causeOf(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || CodeOf(err).Final() {
		return err
	}
	return context.Cause(ctx)
}

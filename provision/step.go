package provision

import (
	"context"
	"time"
)

// Names of the steps, in the order of the two lists.
const (
	StepNamespace   = "namespace"
	StepCredentials = "credentials"
	StepRelease     = "release"
	StepReady       = "ready"
	StepVerify      = "verify"
	StepVolumes     = "volumes"
)

// StepState is how far a step has come.
type StepState string

// A step is started once and then either done or failed.
const (
	StepStarted StepState = "started"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
)

// Step is one entry of a store's journal. It is shown and never decides anything.
type Step struct {
	At         time.Time `json:"at"`
	Generation int64     `json:"generation"`
	Op         Op        `json:"op"`
	Name       string    `json:"name"`
	State      StepState `json:"state"`
	Millis     int64     `json:"millis,omitempty"` // from started to here
	Code       Code      `json:"code,omitempty"`
	Error      string    `json:"error,omitempty"` // the public text
	Cause      error     `json:"-"`               // for the log
	Facts      Facts     `json:"-"`               // what a step that is done has learned of the shop
}

type journal struct{ write func(Step) }

// step runs one step between two journal entries.
func (j journal) step(ctx context.Context, op Op, s Store, name string, run func(context.Context) error) error {
	return j.tellingStep(ctx, op, s, name, func(ctx context.Context) (Facts, error) { return nil, run(ctx) })
}

// tellingStep is a step that learns something.
func (j journal) tellingStep(ctx context.Context, op Op, s Store, name string, run func(context.Context) (Facts, error)) error {
	start := time.Now()
	entry := Step{At: start, Generation: s.Generation, Op: op, Name: name, State: StepStarted}
	j.write(entry)
	facts, err := run(ctx)
	entry.At, entry.State, entry.Millis = time.Now(), StepDone, time.Since(start).Milliseconds()
	if err == nil {
		entry.Facts = facts
	} else {
		err = endedBy(ctx, err)
		entry.State, entry.Code, entry.Error, entry.Cause = StepFailed, CodeOf(err), Public(err), err
	}
	j.write(entry)
	return err
}

// endedBy is err, or why ctx ended where that is what made the step fail. A final code is kept: it knows more.
func endedBy(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || CodeOf(err).Final() {
		return err
	}
	return context.Cause(ctx)
}

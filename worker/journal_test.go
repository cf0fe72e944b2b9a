package worker

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

func aStep(_ context.Context, onStep func(provision.Step)) error {
	onStep(provision.Step{Name: "ready", State: provision.StepStarted})
	onStep(provision.Step{Name: "ready", State: provision.StepDone})
	return nil
}

func TestRunHandlerIgnoresAFailingJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, aStep)
		if reply := r.process(t, t.Context()); reply.err != nil || len(r.steps) != 2 {
			t.Errorf("asynq gets %v, steps %v", reply.err, r.steps)
		}
	})
}

func TestRunHandlerJournalsWhoseRequestTheRunIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, aStep)
		r.records.acquire = withRun(func(run *record.Run) { run.RequestedBy, run.RequestID = "billing", "r-1" })
		r.process(t, t.Context())
		if first, second := r.steps[0], r.steps[1]; first.RequestedBy != "billing" || first.RequestID != "r-1" || second.RequestID != "" {
			t.Errorf("steps %+v", r.steps)
		}
	})
}

func TestRunHandlerKeepsWhatARunWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error {
			for _, text := range []string{"a", "a", "too soon", "later"} {
				provision.TellWaits(ctx, text)
			}
			time.Sleep(2 * waitsEvery)
			provision.TellWaits(ctx, "b")
			provision.TellWaits(ctx, "")
			return nil
		})
		if reply := r.process(t, t.Context()); reply.err != nil || !slices.Equal(r.waits, []string{"a", "later", "b", ""}) {
			t.Errorf("asynq gets %v, kept %q", reply.err, r.waits)
		}
	})
}

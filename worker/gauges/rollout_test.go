package gauges

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"orchestrator/provision"
)

type fixedRollout struct {
	state provision.RolloutState
	err   error
}

func (f fixedRollout) Rollout(context.Context) (provision.Rollout, bool, error) {
	return provision.Rollout{RolloutPlan: provision.RolloutPlan{Engine: "medusa"}, State: f.state, Todo: 7, Failed: 1}, f.state != "", f.err
}

func TestRolloutGaugesShowThatItIsPausedAndHowFarItIs(t *testing.T) {
	for state, want := range map[provision.RolloutState]float64{provision.RolloutPaused: 1, provision.RolloutRunning: 0} {
		values := gathered(t, Rollout(fixedRollout{state: state}, slog.New(slog.DiscardHandler)))
		if got, shown := values["orchestrator_rollout_paused medusa"]; got != want || !shown {
			t.Errorf("%s: %v", state, values)
		}
		if values["orchestrator_rollout_stores medusa todo"] != 7 || values["orchestrator_rollout_stores medusa failed"] != 1 {
			t.Errorf("%s: %v", state, values)
		}
	}
	for _, none := range []fixedRollout{{}, {state: provision.RolloutPaused, err: errors.New("away")}} {
		if values := gathered(t, Rollout(none, slog.New(slog.DiscardHandler))); len(values) != 0 {
			t.Errorf("collected %v", values)
		}
	}
}

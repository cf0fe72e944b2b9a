package gauges

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"orchestrator/provision"
)

type fixedHolds struct {
	holds []provision.Hold
	err   error
}

func (f fixedHolds) Holds(context.Context) ([]provision.Hold, error) { return f.holds, f.err }

func TestHoldMetricsShowEachHold(t *testing.T) {
	hold := provision.Hold{Cluster: "eu", Engine: "medusa", Code: provision.CodeImage, Stores: 7}
	values := gathered(t, Holds(fixedHolds{holds: []provision.Hold{hold}}, slog.New(slog.DiscardHandler)))
	if len(values) != 1 || values["orchestrator_stores_on_hold eu image medusa"] != 7 {
		t.Errorf("collected %v", values)
	}
	if values := gathered(t, Holds(fixedHolds{err: errors.New("away")}, slog.New(slog.DiscardHandler))); len(values) != 0 {
		t.Errorf("collected %v while Redis is away", values)
	}
}

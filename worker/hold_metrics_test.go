package worker

import (
	"context"
	"errors"
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
	values := gathered(t, newHoldMetrics(fixedHolds{holds: []provision.Hold{hold}}, quiet()))
	if len(values) != 1 || values["orchestrator_stores_on_hold eu image medusa"] != 7 {
		t.Errorf("collected %v", values)
	}
	if values := gathered(t, newHoldMetrics(fixedHolds{err: errors.New("away")}, quiet())); len(values) != 0 {
		t.Errorf("collected %v while Redis is away", values)
	}
}

package worker

import (
	"context"
	"errors"
	"testing"

	"orchestrator/provision"
)

type fixedOrphans struct {
	counts map[provision.OrphanKind]int64
	err    error
}

func (f fixedOrphans) CountOrphans(context.Context) (map[provision.OrphanKind]int64, error) {
	return f.counts, f.err
}

func TestOrphanMetricsShowEachKind(t *testing.T) {
	values := gathered(t, newOrphanMetrics(fixedOrphans{counts: map[provision.OrphanKind]int64{provision.OrphanForgotten: 3, provision.OrphanFailed: 0}}, quiet()))
	if n, shown := values["orchestrator_orphans failed"]; values["orchestrator_orphans forgotten"] != 3 || n != 0 || !shown {
		t.Errorf("collected %v", values)
	}
	if values := gathered(t, newOrphanMetrics(fixedOrphans{err: errors.New("away")}, quiet())); len(values) != 0 {
		t.Errorf("collected %v while Redis is away", values)
	}
}

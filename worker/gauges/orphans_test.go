package gauges

import (
	"context"
	"errors"
	"log/slog"
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
	values := gathered(t, Orphans(fixedOrphans{counts: map[provision.OrphanKind]int64{provision.OrphanForgotten: 3, provision.OrphanFailed: 0}}, slog.New(slog.DiscardHandler)))
	if n, shown := values["orchestrator_orphans failed"]; values["orchestrator_orphans forgotten"] != 3 || n != 0 || !shown {
		t.Errorf("collected %v", values)
	}
	if values := gathered(t, Orphans(fixedOrphans{err: errors.New("away")}, slog.New(slog.DiscardHandler))); len(values) != 0 {
		t.Errorf("collected %v while Redis is away", values)
	}
}

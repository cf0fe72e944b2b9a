package gauges

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"orchestrator/provision"
)

type fixedFindings struct {
	counts map[provision.FindingKind]int64
	err    error
}

func (f fixedFindings) CountFindings(context.Context) (map[provision.FindingKind]int64, error) {
	return f.counts, f.err
}

func TestFindingGaugesShowEachKind(t *testing.T) {
	values := gathered(t, Findings(fixedFindings{counts: map[provision.FindingKind]int64{provision.FindingDrifted: 3, provision.FindingOutdated: 0}}, slog.New(slog.DiscardHandler)))
	if n, shown := values["orchestrator_findings outdated"]; values["orchestrator_findings drifted"] != 3 || n != 0 || !shown {
		t.Errorf("collected %v", values)
	}
	if values := gathered(t, Findings(fixedFindings{err: errors.New("away")}, slog.New(slog.DiscardHandler))); len(values) != 0 {
		t.Errorf("collected %v while Redis is away", values)
	}
}

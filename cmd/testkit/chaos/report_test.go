package main

import (
	"testing"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

func TestTheLineThatCounts(t *testing.T) {
	if got, want := summary(nil), "lost 0, wrong 0, stuck 0, leaked 0, duplicate-terminal 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	found := []model.Finding{{Kind: model.Lost}, {Kind: model.Duplicate}, {Kind: model.Duplicate}}
	if got, want := summary(found), "lost 1, wrong 0, stuck 0, leaked 0, duplicate-terminal 2"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A run in which nothing happened proves nothing; a longer run needs more.
func TestShortages(t *testing.T) {
	quiet := newTrouble(nil, options{faults: time.Minute}, nil)
	all := len(quiet.shortages())
	if all != 16+len(rig.Places) {
		t.Errorf("%d shortages in a run without faults", all)
	}
	quiet.note(killed, []rig.Run{{Place: rig.Places[0]}})
	if got := len(quiet.shortages()); got != all-2 {
		t.Errorf("%d shortages after a kill in one step, want %d", got, all-2)
	}
	quiet.options.faults = 4 * time.Minute
	if got := len(quiet.shortages()); got != all {
		t.Errorf("%d shortages after a kill in a run of four minutes, want %d", got, all)
	}
}

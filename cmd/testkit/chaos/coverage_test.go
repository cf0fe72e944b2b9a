package main

import (
	"testing"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

func TestSummary(t *testing.T) {
	if got, want := summary(nil), "lost 0, wrong 0, stuck 0, leaked 0, duplicate-terminal 0, crossed 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	found := []model.Finding{{Kind: model.Lost}, {Kind: model.Duplicate}, {Kind: model.Duplicate}}
	if got, want := summary(found), "lost 1, wrong 0, stuck 0, leaked 0, duplicate-terminal 2, crossed 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A run in which nothing happened proves nothing; a longer run needs more.
func TestCoverageGaps(t *testing.T) {
	inj := newInjector(nil, options{faults: time.Minute}, nil)
	all := len(inj.gaps())
	if all != 19+len(rig.Steps) {
		t.Errorf("%d gaps in a run without faults", all)
	}
	inj.note(killed, []rig.Run{{Step: rig.Steps[0]}})
	if got := len(inj.gaps()); got != all-2 {
		t.Errorf("%d gaps after a kill in one step, want %d", got, all-2)
	}
	inj.options.faults = 4 * time.Minute
	if got := len(inj.gaps()); got != all {
		t.Errorf("%d gaps after a kill in a run of four minutes, want %d", got, all)
	}
}

// A pause takes most of an extension: it is the first thing that happens there, if it did not happen before.
func TestAMissingPauseComesFirstInAnExtension(t *testing.T) {
	inj := newInjector(nil, options{faults: time.Minute}, nil)
	if inj.pauseIsMissing() {
		t.Error("a pause is forced before chance had its time")
	}
	inj.extend(extension)
	if !inj.pauseIsMissing() || extension-shortestPause < aimTimeout {
		t.Error("an extension does not see to the pause that is missing")
	}
	inj.note(slept, nil)
	if inj.pauseIsMissing() {
		t.Error("a second pause is forced")
	}
}

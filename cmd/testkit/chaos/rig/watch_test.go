package rig

import (
	"encoding/json"
	"testing"
	"time"

	"orchestrator/provision"
)

// step lets the watch observe an entry of a journal, as a worker writes it.
func step(w *Watch, worker, store string, generation int64, name string, state provision.StepState) {
	text, _ := json.Marshal(provision.Step{Generation: generation, Op: provision.OpProvision, Name: name, State: state})
	w.Command(worker, []string{"xadd", "{orch}:journal:" + store, "maxlen", "~", "100", "*", "step", string(text)})
}

func TestWatch(t *testing.T) {
	begin := func(w *Watch, worker string, generation int64) {
		step(w, worker, "s", generation, "release", provision.StepStarted)
	}
	first := func(w *Watch, worker string, generation int64) {
		step(w, worker, "s", generation, provision.StepNamespace, provision.StepStarted)
	}
	end := func(w *Watch, worker string, generation int64) {
		step(w, worker, "s", generation, "release", provision.StepDone)
	}
	for _, c := range []struct {
		name   string
		events func(w *Watch)
		found  int
	}{
		{"one after the other", func(w *Watch) { begin(w, "a", 1); end(w, "a", 1); begin(w, "b", 2) }, 0},
		{"two at once", func(w *Watch) { begin(w, "a", 1); begin(w, "b", 2) }, 1},
		{"two at once in one worker", func(w *Watch) { begin(w, "a", 1); begin(w, "a", 2) }, 1},
		{"the first was killed", func(w *Watch) { begin(w, "a", 1); w.Gone("a"); begin(w, "b", 2) }, 0},
		{"an entry arrives after its worker has ended", func(w *Watch) { w.Gone("a"); begin(w, "a", 1); begin(w, "b", 2) }, 0},
		{"the first is paused", func(w *Watch) { begin(w, "a", 1); w.Disturbed("a"); begin(w, "b", 2) }, 0},
		{"the first is paused and writes afterwards", func(w *Watch) {
			begin(w, "a", 1)
			w.Disturbed("a")
			begin(w, "b", 2)
			end(w, "b", 2)
			w.Wrote("a", Write{Namespace: "store-s", What: "POST"})
		}, 1},
		{"the second writes", func(w *Watch) {
			begin(w, "a", 1)
			w.Disturbed("a")
			begin(w, "b", 2)
			w.Wrote("b", Write{Namespace: "store-s", What: "POST"})
		}, 0},
		{"a paused run enters its next step, and the second writes", func(w *Watch) {
			first(w, "a", 1)
			w.Disturbed("a")
			first(w, "b", 2)
			begin(w, "a", 1)
			w.Wrote("b", Write{Namespace: "store-s", What: "POST"})
		}, 0},
		{"a run whose worker was paused after it took the lease", func(w *Watch) {
			w.Disturbed("a")
			first(w, "b", 2)
			first(w, "a", 1)
			w.Wrote("b", Write{Namespace: "store-s", What: "POST"})
		}, 0},
		{"a paused run writes in its next step", func(w *Watch) {
			first(w, "a", 1)
			w.Disturbed("a")
			first(w, "b", 2)
			begin(w, "a", 1)
			w.Wrote("a", Write{Namespace: "store-s", What: "POST"})
		}, 1},
		{"a run is tried again by the first worker", func(w *Watch) {
			first(w, "a", 1)
			first(w, "a", 1)
			w.Wrote("a", Write{Namespace: "store-s", What: "POST"})
		}, 0},
		{"a generation returns to the worker that began it", func(w *Watch) {
			first(w, "a", 1)
			w.Disturbed("a")
			first(w, "b", 1)
			w.Gone("b")
			first(w, "a", 1)
			begin(w, "a", 1)
			w.Wrote("a", Write{Namespace: "store-s", What: "POST"})
		}, 0},
		{"Redis was away at the end", func(w *Watch) { begin(w, "a", 1); w.RedisAway(); begin(w, "b", 2) }, 0},
		{"Redis was away before", func(w *Watch) { w.RedisAway(); begin(w, "a", 1); begin(w, "b", 2) }, 1},
		{"the end could not be observed", func(w *Watch) { begin(w, "a", 1); w.Disconnected("a"); begin(w, "b", 2) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := NewWatch()
			c.events(w)
			if found, _ := w.Found(); len(found) != c.found {
				t.Errorf("found %q, want %d", found, c.found)
			}
		})
	}
}

func TestAimIsReachedOnceWhileTheRunIsHeld(t *testing.T) {
	w, reached := NewWatch(), 0
	w.Await(&Aim{At: func(p StepID) bool { return p.Step == "release" }, Write: true, Fire: func(Run) { reached++ }})
	step(w, "a", "s", 1, "release", provision.StepStarted)
	w.Wrote("a", Write{Namespace: "store-other", What: "POST"})
	if reached != 0 {
		t.Error("reached by another store's write")
	}
	w.Wrote("a", Write{Namespace: "store-s", What: "POST"})
	w.Wrote("a", Write{Namespace: "store-s", What: "POST"})
	if reached != 1 {
		t.Errorf("reached %d times, want once", reached)
	}
	cancel := w.Await(&Aim{At: func(StepID) bool { return false }})
	if !cancel() {
		t.Error("an aim that was not reached was not waiting")
	}
	if runs := w.Running("a"); len(runs) != 1 || time.Since(runs[0].Since) > time.Minute {
		t.Errorf("running: %v", runs)
	}
}

package watcher

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

var start = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// fake is an ingest whose states a test changes.
type fake struct {
	states []provision.State
	asked  int
}

func (f *fake) Store(_ context.Context, id string) (provision.State, error) {
	f.asked++
	for _, s := range f.states {
		if s.StoreID == id {
			return s, nil
		}
	}
	return provision.State{}, errors.New("not found")
}

func (f *fake) Stores(context.Context, provision.StoreFilter, string, int) (provision.Page, error) {
	var page provision.Page
	for _, s := range f.states {
		s.Steps = nil
		page.Stores = append(page.Stores, s)
	}
	return page, nil
}

func store(id string, gen int64, status provision.Status, steps ...string) provision.State {
	s := provision.State{StoreID: id, Action: provision.OpProvision, Generation: gen, Status: status, AcceptedAt: start, Running: !status.Final()}
	if status.Final() {
		s.DecidedAt = start.Add(time.Minute)
	}
	for i, name := range steps {
		step := provision.Step{Generation: gen, Op: provision.OpProvision, Name: name, State: provision.StepDone, Millis: 1200, At: start.Add(time.Duration(i+1) * time.Second)}
		begun := step
		begun.State, begun.At = provision.StepStarted, step.At.Add(-time.Second)
		s.Steps = append(s.Steps, begun, step)
	}
	return s
}

func poll(t *testing.T, f *Watcher) []string {
	t.Helper()
	_, events, err := f.Poll(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, e := range events {
		lines = append(lines, e.StoreID+": "+e.Line())
	}
	return lines
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAllReportsEachEventOnce(t *testing.T) {
	source := &fake{states: []provision.State{store("old", 1, "READY", "namespace")}}
	f := All(source)
	want(t, poll(t, f))
	source.states = append(source.states, store("new", 2, "PROVISIONING", "namespace"))
	want(t, poll(t, f), "new: provision accepted", "new: namespace done 1.2 s")
	want(t, poll(t, f))
	source.states[1] = store("new", 2, "READY", "namespace", "release")
	want(t, poll(t, f), "new: release done 1.2 s", "new: READY after 1m00s")
	source.states[0] = store("old", 9, "FAILED", "namespace")
	source.states[0].Error = "no"
	want(t, poll(t, f), "old: provision accepted", "old: namespace done 1.2 s", "old: FAILED after 1m00s: no")
}

func TestAllFetchesEndedStoresOnce(t *testing.T) {
	source := &fake{states: []provision.State{store("a", 1, "READY", "namespace"), store("b", 1, "PROVISIONING")}}
	f := All(source)
	poll(t, f)
	poll(t, f)
	if source.asked != 3 {
		t.Errorf("asked %d times, want twice at first and once for the store in progress", source.asked)
	}
	states, _, _ := f.Poll(context.Background())
	if len(states[0].Steps) == 0 {
		t.Error("the steps of the ended store are lost")
	}
}

func TestOneReportsTheNewestGenerationFromItsBeginning(t *testing.T) {
	s := store("a", 2, "READY", "namespace", "release")
	s.Steps = append(store("a", 1, "FAILED", "verify").Steps, s.Steps...)
	f := One(&fake{states: []provision.State{s}}, "a")
	want(t, poll(t, f), "a: namespace done 1.2 s", "a: release done 1.2 s", "a: READY after 1m00s")
}

func TestPollReportsALongStepBeforeItEnds(t *testing.T) {
	s := store("a", 2, "PROVISIONING", "namespace", "ready")
	s.Steps = s.Steps[:3]
	f := One(&fake{states: []provision.State{s}}, "a")
	f.now = func() time.Time { return start.Add(2 * time.Second) }
	want(t, poll(t, f), "a: namespace done 1.2 s")
	f.now = func() time.Time { return start.Add(9 * time.Second) }
	want(t, poll(t, f), "a: ready is still in progress")
	want(t, poll(t, f))
}

func TestPollReportsTheLastStepBeforeTheOutcome(t *testing.T) {
	under, over := store("a", 2, "PROVISIONING", "namespace", "ready"), store("a", 2, "READY", "namespace", "ready")
	over.DecidedAt = over.Steps[3].At.Add(-time.Microsecond)
	source := &fake{states: []provision.State{under}}
	source.states[0].Steps = under.Steps[:3]
	f := One(source, "a")
	f.now = func() time.Time { return start }
	want(t, poll(t, f), "a: namespace done 1.2 s")
	source.states[0] = over
	source.states[0].Steps = over.Steps[:3] // the outcome is visible, the end of the step is not
	states, _, _ := f.Poll(context.Background())
	if states[0].Status != provision.StatusProvisioning {
		t.Error("the outcome is shown before the last step")
	}
	source.states[0].Steps = over.Steps
	want(t, poll(t, f), "a: ready done 1.2 s", "a: READY after 2.0 s")
}

func TestPollReportsAnOutcomeWithoutTheLastStep(t *testing.T) {
	s := store("a", 2, "READY", "namespace", "ready")
	s.Steps = s.Steps[:3]
	source := &fake{states: []provision.State{s}}
	f := One(source, "a")
	want(t, poll(t, f), "a: namespace done 1.2 s", "a: READY after 1m00s")
}

func TestPollReturnsTheErrorOfItsSource(t *testing.T) {
	if _, _, err := One(&fake{}, "a").Poll(context.Background()); err == nil {
		t.Error("no error")
	}
}

func TestLineCountsTheTriesThatFailedAlike(t *testing.T) {
	step := provision.Step{Name: "release", State: provision.StepFailed, Millis: 2000, Error: "the API server does not answer"}
	if got, want := (Event{Step: &step}).Line(), "release failed 2.0 s: the API server does not answer"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	step.Tries, step.Since = 41, time.Date(2026, 1, 1, 3, 4, 5, 0, time.Local)
	if got, want := (Event{Step: &step}).Line(), "release failed 2.0 s, like 40 tries since 03:04:05: the API server does not answer"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

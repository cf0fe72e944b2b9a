// Package watcher polls stores through ingest's API and turns what is new into events.
package watcher

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/provision"
)

// Source is where the state of stores is read.
type Source interface {
	Store(ctx context.Context, id string) (provision.State, error)
	Stores(ctx context.Context, f provision.StoreFilter, cursor string, limit int) (provision.Page, error)
}

const (
	pageSize = 50
	// longStep is how long a step has to run before its start is reported by itself.
	longStep = 3 * time.Second
)

// Event is one thing that happened to a store: a step if Step is set, an outcome if Outcome is set, else the acceptance of a
// request.
type Event struct {
	At      time.Time        `json:"at"`
	StoreID string           `json:"store_id"`
	Action  provision.Op     `json:"action"`
	Step    *provision.Step  `json:"step,omitempty"`
	Outcome provision.Status `json:"status,omitempty"`
	Code    provision.Code   `json:"code,omitempty"`
	Error   string           `json:"error,omitempty"`
	Millis  int64            `json:"millis,omitempty"` // of an outcome: since acceptance
}

// Watcher remembers what it has reported. It belongs to one goroutine.
type Watcher struct {
	source Source
	only   string
	stores map[string]*storeState
	polled bool
	now    func() time.Time
}

type storeState struct {
	state          provision.State
	heldGeneration int64           // the generation whose last step was waited for
	reported       map[string]bool // steps
	outcome        string          // the key of the reported one
}

// All returns a Watcher of the latest stores. It does not report stores that have an outcome at the first poll.
func All(source Source) *Watcher {
	return &Watcher{source: source, stores: map[string]*storeState{}, now: time.Now}
}

// One returns a Watcher of a single store, which reports its newest generation from the beginning.
func One(source Source, id string) *Watcher {
	w := All(source)
	w.only = id
	return w
}

// Poll returns the stores, the latest accepted first, and the events since the last poll in the order of time.
func (w *Watcher) Poll(ctx context.Context) ([]provision.State, []Event, error) {
	states, err := w.fetch(ctx)
	if err != nil {
		return nil, nil, err
	}
	var events []Event
	for i := range states {
		w.holdOutcome(&states[i])
		events = append(events, w.newEvents(states[i])...)
	}
	w.polled = true
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
	return states, events, nil
}

func (w *Watcher) fetch(ctx context.Context) ([]provision.State, error) {
	if w.only != "" {
		s, err := w.source.Store(ctx, w.only)
		return []provision.State{s}, err
	}
	page, err := w.source.Stores(ctx, provision.StoreFilter{}, "", pageSize)
	if err != nil {
		return nil, err
	}
	for i, s := range page.Stores {
		if known := w.stores[s.StoreID]; known != nil && unchanged(known.state, s) {
			page.Stores[i] = known.state
			continue
		}
		if page.Stores[i], err = w.source.Store(ctx, s.StoreID); err != nil {
			return nil, err
		}
	}
	return page.Stores, nil
}

// unchanged reports whether a store has nothing new, so that its steps need not be fetched.
func unchanged(known, listed provision.State) bool {
	known.Steps = nil
	return listed.Status.Final() && !listed.Running && known.Generation == listed.Generation && known.Status == listed.Status &&
		known.PendingCallbacks == listed.PendingCallbacks && !known.Running
}

// holdOutcome hides an outcome for one poll if the last step has no end yet. The journal is written separately, a moment after
// the outcome.
func (w *Watcher) holdOutcome(s *provision.State) {
	m := w.stores[s.StoreID]
	if m == nil || m.heldGeneration == s.Generation || !s.Status.Final() || len(s.Steps) == 0 || s.Steps[len(s.Steps)-1].State != provision.StepStarted {
		return
	}
	m.heldGeneration = s.Generation
	s.Status, s.Code, s.Error, s.DecidedAt, s.Running = s.Action.Progress(), "", "", time.Time{}, true
}

func (w *Watcher) newEvents(s provision.State) []Event {
	m := w.stores[s.StoreID]
	if m == nil {
		m = &storeState{reported: map[string]bool{}}
		w.stores[s.StoreID] = m
		w.skipOld(m, s)
	}
	var events []Event
	event := Event{StoreID: s.StoreID, Action: s.Action}
	if s.Generation != m.state.Generation {
		event.At = s.AcceptedAt
		events = append(events, event)
	}
	for _, step := range s.Steps {
		if key := stepKey(step); !m.reported[key] && w.worthReporting(step, s) {
			m.reported[key] = true
			event.At, event.Action, event.Step = step.At, step.Op, &step
			events = append(events, event)
		}
	}
	if key := outcomeKey(s); key != "" && key != m.outcome {
		m.outcome = key
		at := s.DecidedAt // rounded to milliseconds, so that it may be before the last step
		if event.At.After(at) {
			at = event.At
		}
		events = append(events, Event{At: at, StoreID: s.StoreID, Action: s.Action, Outcome: s.Status, Code: s.Code, Error: s.Error,
			Millis: view.Elapsed(s, w.now()).Milliseconds()})
	}
	m.state = s
	return events
}

// skipOld marks as reported what was over before the first poll.
func (w *Watcher) skipOld(m *storeState, s provision.State) {
	over := w.only == "" && !w.polled && s.Status.Final()
	for _, step := range s.Steps {
		if over || step.Generation < s.Generation {
			m.reported[stepKey(step)] = true
		}
	}
	if over {
		m.outcome = outcomeKey(s)
	}
	if !w.polled {
		m.state.Generation = s.Generation // its acceptance is not new
	}
}

// worthReporting holds back the start of a step. Most steps end at once, and their end is enough.
func (w *Watcher) worthReporting(step provision.Step, s provision.State) bool {
	if step.State != provision.StepStarted {
		return true
	}
	last := s.Steps[len(s.Steps)-1]
	return stepKey(last) == stepKey(step) && !s.Status.Final() && w.now().Sub(step.At) > longStep
}

func stepKey(s provision.Step) string {
	return fmt.Sprint(s.Generation, s.Op, s.Name, s.State, s.At.UnixNano())
}

func outcomeKey(s provision.State) string {
	if !s.Status.Final() {
		return ""
	}
	return fmt.Sprint(s.Generation, s.Status)
}

// Line returns the event as text, without its time.
func (e Event) Line() string {
	switch {
	case e.Outcome != "":
		return e.outcomeLine()
	case e.Step == nil:
		return string(e.Action) + " accepted"
	case e.Step.State == provision.StepStarted:
		return e.Step.Name + " is still in progress"
	case e.Step.State == provision.StepFailed:
		return fmt.Sprintf("%s failed %s%s: %s", e.Step.Name, took(e.Step.Millis), e.tries(), e.Step.Error)
	}
	return fmt.Sprintf("%s %s %s", e.Step.Name, e.Step.State, took(e.Step.Millis))
}

func (e Event) tries() string {
	if e.Step.Tries < 2 {
		return ""
	}
	return fmt.Sprintf(", like %d tries since %s", e.Step.Tries-1, e.Step.Since.Local().Format(time.TimeOnly))
}

func (e Event) outcomeLine() string {
	if e.Error != "" {
		return fmt.Sprintf("%s after %s: %s", e.Outcome, took(e.Millis), e.Error)
	}
	return fmt.Sprintf("%s after %s", e.Outcome, took(e.Millis))
}

func took(millis int64) string { return view.Duration(time.Duration(millis) * time.Millisecond) }

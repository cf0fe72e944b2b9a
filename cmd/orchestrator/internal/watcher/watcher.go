// Package watcher watches stores through the API and says what is new about them.
package watcher

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/provision"
)

// Source is where stores are looked at.
type Source interface {
	Store(ctx context.Context, id string) (provision.State, error)
	Stores(ctx context.Context, cursor string, limit int) (provision.Page, error)
}

const (
	pageSize = 50
	// longStep is how long a step is under way before that alone is worth a line.
	longStep = 3 * time.Second
)

// Event is one thing that happened to a store. Exactly one of Step and Verdict is set, or neither: the store was
// accepted.
type Event struct {
	At      time.Time        `json:"at"`
	StoreID string           `json:"store_id"`
	Action  provision.Op     `json:"action"`
	Step    *provision.Step  `json:"step,omitempty"`
	Verdict provision.Status `json:"status,omitempty"`
	Code    provision.Code   `json:"code,omitempty"`
	Error   string           `json:"error,omitempty"`
	Millis  int64            `json:"millis,omitempty"` // of a verdict: since acceptance
}

// Follower remembers what it has told. It belongs to one goroutine.
type Follower struct {
	source Source
	only   string
	stores map[string]*memory
	looked bool
	now    func() time.Time
}

type memory struct {
	state   provision.State
	late    int64           // the generation whose last step was waited for
	told    map[string]bool // steps
	decided string          // verdict
}

// All follows the newest stores. Those that have a verdict already at the first look are not told.
func All(source Source) *Follower {
	return &Follower{source: source, stores: map[string]*memory{}, now: time.Now}
}

// One follows a single store and tells its newest generation from its beginning.
func One(source Source, id string) *Follower {
	f := All(source)
	f.only = id
	return f
}

// Look returns the stores, newest accepted first, and what has happened since the last look in the order of time.
func (f *Follower) Look(ctx context.Context) ([]provision.State, []Event, error) {
	states, err := f.look(ctx)
	if err != nil {
		return nil, nil, err
	}
	var events []Event
	for i := range states {
		f.awaitLastStep(&states[i])
		events = append(events, f.news(states[i])...)
	}
	f.looked = true
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
	return states, events, nil
}

func (f *Follower) look(ctx context.Context) ([]provision.State, error) {
	if f.only != "" {
		s, err := f.source.Store(ctx, f.only)
		return []provision.State{s}, err
	}
	page, err := f.source.Stores(ctx, "", pageSize)
	if err != nil {
		return nil, err
	}
	for i, s := range page.Stores {
		if known := f.stores[s.StoreID]; known != nil && settled(known.state, s) {
			page.Stores[i] = known.state
			continue
		}
		if page.Stores[i], err = f.source.Store(ctx, s.StoreID); err != nil {
			return nil, err
		}
	}
	return page.Stores, nil
}

// settled reports whether a store has nothing new: its steps need not be asked for.
func settled(known, listed provision.State) bool {
	known.Steps = nil
	return listed.Status.Final() && !listed.Running && known.Generation == listed.Generation && known.Status == listed.Status &&
		known.PendingCallbacks == listed.PendingCallbacks && !known.Running
}

// awaitLastStep hides a verdict for one look when the last step has no end yet: the journal is written beside the verdict,
// and a moment later.
func (f *Follower) awaitLastStep(s *provision.State) {
	m := f.stores[s.StoreID]
	if m == nil || m.late == s.Generation || !s.Status.Final() || len(s.Steps) == 0 || s.Steps[len(s.Steps)-1].State != provision.StepStarted {
		return
	}
	m.late = s.Generation
	s.Status, s.Code, s.Error, s.DecidedAt, s.Running = s.Action.Progress(), "", "", time.Time{}, true
}

func (f *Follower) news(s provision.State) []Event {
	m := f.stores[s.StoreID]
	if m == nil {
		m = &memory{told: map[string]bool{}}
		f.stores[s.StoreID] = m
		f.forgetOld(m, s)
	}
	var events []Event
	event := Event{StoreID: s.StoreID, Action: s.Action}
	if s.Generation != m.state.Generation {
		event.At = s.AcceptedAt
		events = append(events, event)
	}
	for _, step := range s.Steps {
		if key := stepKey(step); !m.told[key] && f.worthTelling(step, s) {
			m.told[key] = true
			event.At, event.Action, event.Step = step.At, step.Op, &step
			events = append(events, event)
		}
	}
	if verdict := verdictKey(s); verdict != "" && verdict != m.decided {
		m.decided = verdict
		at := s.DecidedAt // in whole milliseconds, so that it may lie before the last step
		if event.At.After(at) {
			at = event.At
		}
		events = append(events, Event{At: at, StoreID: s.StoreID, Action: s.Action, Verdict: s.Status, Code: s.Code, Error: s.Error,
			Millis: view.Elapsed(s, f.now()).Milliseconds()})
	}
	m.state = s
	return events
}

// forgetOld marks as told what was over before anybody looked.
func (f *Follower) forgetOld(m *memory, s provision.State) {
	over := f.only == "" && !f.looked && s.Status.Final()
	for _, step := range s.Steps {
		if over || step.Generation < s.Generation {
			m.told[stepKey(step)] = true
		}
	}
	if over {
		m.decided = verdictKey(s)
	}
	if !f.looked {
		m.state.Generation = s.Generation // its acceptance is no news
	}
}

// worthTelling holds the beginning of a step back: most end at once, and the end says it all.
func (f *Follower) worthTelling(step provision.Step, s provision.State) bool {
	if step.State != provision.StepStarted {
		return true
	}
	last := s.Steps[len(s.Steps)-1]
	return stepKey(last) == stepKey(step) && !s.Status.Final() && f.now().Sub(step.At) > longStep
}

func stepKey(s provision.Step) string {
	return fmt.Sprint(s.Generation, s.Op, s.Name, s.State, s.At.UnixNano())
}

func verdictKey(s provision.State) string {
	if !s.Status.Final() {
		return ""
	}
	return fmt.Sprint(s.Generation, s.Status)
}

// Line is the event for people, without its time.
func (e Event) Line() string {
	switch {
	case e.Verdict != "":
		return e.verdictLine()
	case e.Step == nil:
		return string(e.Action) + " accepted"
	case e.Step.State == provision.StepStarted:
		return e.Step.Name + " is still under way"
	case e.Step.State == provision.StepFailed:
		return fmt.Sprintf("%s failed %s: %s", e.Step.Name, took(e.Step.Millis), e.Step.Error)
	}
	return fmt.Sprintf("%s %s %s", e.Step.Name, e.Step.State, took(e.Step.Millis))
}

func (e Event) verdictLine() string {
	if e.Error != "" {
		return fmt.Sprintf("%s after %s: %s", e.Verdict, took(e.Millis), e.Error)
	}
	return fmt.Sprintf("%s after %s", e.Verdict, took(e.Millis))
}

func took(millis int64) string { return view.Duration(time.Duration(millis) * time.Millisecond) }

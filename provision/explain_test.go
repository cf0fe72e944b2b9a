package provision

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var explained = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func live(change func(*State)) State {
	s := State{StoreID: "a", Action: OpProvision, Generation: 7, Status: StatusProvisioning, Deadline: explained.Add(time.Hour)}
	change(&s)
	return s
}

func ended(status Status, change func(*State)) State {
	s := State{StoreID: "a", Action: OpProvision, Generation: 7, Status: status}
	if status == StatusDeleted || status == StatusDeleteFailed {
		s.Action = OpDelete
	}
	change(&s)
	return s
}

func unchanged(*State) {}

func TestExplainGivesTheReason(t *testing.T) {
	next := explained.Add(30 * time.Second)
	step := func(state StepState) func(*State) {
		return func(s *State) {
			s.Steps = []Step{{Generation: 6, Name: "old"}, {Generation: 7, Name: StepReady, State: state, At: explained.Add(-2 * time.Second)}}
			s.Running = state != StepFailed
		}
	}
	for name, c := range map[string]struct {
		state  State
		reason Reason
		text   string
		next   time.Time
	}{
		"new":                  {live(unchanged), ReasonWorker, "waits for a worker; the request fails if it is not finished in 1h00m", time.Time{}},
		"under way":            {live(step(StepStarted)), ReasonRunning, "in step ready for 2.0 s", time.Time{}},
		"waits for a pod":      {live(func(s *State) { step(StepStarted)(s); s.WaitsFor = "pod db-0: image missing." }), ReasonRunning, "in step ready for 2.0 s. It waits: pod db-0: image missing.", time.Time{}},
		"between steps":        {live(step(StepDone)), ReasonRunning, "between two steps", time.Time{}},
		"before a step":        {live(func(s *State) { s.Running = true }), ReasonRunning, "A worker is running it.", time.Time{}},
		"failed once":          {live(func(s *State) { s.Attempts, s.NextRunAt = 1, next }), ReasonRetry, "retried in 30.0 s: one run failed", next},
		"crashed":              {live(func(s *State) { s.Crashes = 2 }), ReasonRetry, "2 runs ended without a result", time.Time{}},
		"the cluster is away":  {live(step(StepFailed)), ReasonRetry, "retried soon: the cluster or Redis", time.Time{}},
		"behind a delete":      {live(func(s *State) { s.DeleteGeneration = 6 }), ReasonDelete, "waits for the end of a delete", time.Time{}},
		"behind a running one": {live(func(s *State) { s.DeleteGeneration, s.Running = 6, true }), ReasonDelete, "is running; then", time.Time{}},
		"throttled":            {live(func(s *State) { s.CreatorInProgress = 2 }), ReasonCreatorLimit, "2 new stores in progress", time.Time{}},
		"on hold":              {live(func(s *State) { s.OnHoldSince = explained.Add(-time.Minute) }), ReasonHold, "on hold for 1m00s", time.Time{}},
		"unconfirmed":          {ended(StatusReady, func(s *State) { s.PendingCallbacks, s.Deliveries = 1, []Delivery{{NextAt: next}} }), ReasonCallback, "one callback yet", next},
		"unconfirmed twice":    {ended(StatusFailed, func(s *State) { s.PendingCallbacks, s.DeadLetterID = 2, "6.1.a" }), ReasonCallback, "2 callbacks yet", time.Time{}},
		"refused":              {ended(StatusReady, func(s *State) { s.DeadLetterID = "7.1.a" }), ReasonDeadLetter, "replay", time.Time{}},
		"ready":                {ended(StatusReady, unchanged), ReasonNothing, "The store is up", time.Time{}},
		"suspended":            {ended(StatusSuspended, unchanged), ReasonNothing, "The shop is stopped", time.Time{}},
		"failed":               {ended(StatusFailed, unchanged), ReasonFailed, "continues with what exists", time.Time{}},
		"not deleted":          {ended(StatusDeleteFailed, unchanged), ReasonFailed, "Fix the cause, then retry", time.Time{}},
		"deleted":              {ended(StatusDeleted, unchanged), ReasonNothing, "The store is gone", time.Time{}},
		"retained":             {ended(StatusDeleted, func(s *State) { s.RetainData = true }), ReasonNothing, "Its data is retained", time.Time{}},
	} {
		e := Explain(c.state, explained)
		if e.Reason != c.reason || !strings.Contains(e.Text, c.text) || !e.NextTryAt.Equal(c.next) {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestExplainOffersWhatMayBeAsked(t *testing.T) {
	for name, c := range map[string]struct {
		state State
		want  string
	}{
		"new":               {live(unchanged), "retry cancel protect delete"},
		"under way":         {live(func(s *State) { s.Running = true }), "protect delete"},
		"being deleted":     {State{Action: OpDelete, Status: StatusDeleting, Running: true}, ""},
		"delete that waits": {State{Action: OpDelete, Status: StatusDeleting}, "retry cancel"},
		"ready":             {ended(StatusReady, unchanged), "repair suspend rotate backup retry protect delete"},
		"protected":         {ended(StatusReady, func(s *State) { s.Protected = true }), "repair suspend rotate backup retry unprotect"},
		"suspended":         {ended(StatusSuspended, func(s *State) { s.Suspended = true }), "resume protect delete"},
		"failed":            {ended(StatusFailed, unchanged), "retry repair protect delete"},
		"backed up":         {ended(StatusReady, func(s *State) { s.Backup = &Backup{} }), "repair suspend rotate backup retry restore protect delete"},
		"failed, backed up": {ended(StatusFailed, func(s *State) { s.Backup = &Backup{} }), "retry repair restore protect delete"},
		"not resumed":       {ended(StatusFailed, func(s *State) { s.Backup, s.Suspended = &Backup{}, true }), "retry repair resume protect delete"},
		"backed up, begun":  {live(func(s *State) { s.Backup, s.Running = &Backup{}, true }), "protect delete"},
		"refused":           {ended(StatusReady, func(s *State) { s.DeadLetterID = "x" }), "replay repair suspend rotate backup retry protect delete"},
		"not deleted":       {ended(StatusDeleteFailed, unchanged), "retry"},
		"deleted":           {ended(StatusDeleted, unchanged), ""},
		"retained":          {ended(StatusDeleted, func(s *State) { s.RetainData = true }), "delete"},
	} {
		var want []Action
		for _, a := range strings.Fields(c.want) {
			want = append(want, Action(a))
		}
		if got := Explain(c.state, explained).Actions; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

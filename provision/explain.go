package provision

import (
	"fmt"
	"strings"
	"time"
)

// Reason says in one word why a store is where it is.
type Reason string

// The reasons.
const (
	ReasonWorker       Reason = "worker"        // it waits for a worker that has time
	ReasonRunning      Reason = "running"       // a worker is at it
	ReasonRetry        Reason = "retry"         // its last run ended, and another follows
	ReasonDelete       Reason = "delete-first"  // a delete that was accepted earlier has to end first
	ReasonCreatorLimit Reason = "creator-limit" // its creator has as many new stores in progress as allowed
	ReasonHold         Reason = "hold"          // others have failed for one cause, and it waits for that to end
	ReasonCallback     Reason = "callback"      // the backend has not taken its status yet
	ReasonDeadLetter   Reason = "dead-letter"   // the backend has refused its status
	ReasonFailed       Reason = "failed"        // its request has failed, and the backend knows
	ReasonNothing      Reason = "nothing"       // all is as it is to be
)

// Action is something that may be asked of a store as it is.
type Action string

// The actions, as the API has them; repair is a retry that does everything again.
const (
	ActionRetry     Action = "retry"
	ActionRepair    Action = "repair"
	ActionCancel    Action = "cancel"
	ActionSuspend   Action = "suspend"
	ActionResume    Action = "resume"
	ActionRotate    Action = "rotate"
	ActionBackup    Action = "backup"
	ActionRestore   Action = "restore"
	ActionProtect   Action = "protect"
	ActionUnprotect Action = "unprotect"
	ActionDelete    Action = "delete"
	ActionReplay    Action = "replay"
)

// Explanation is why a store is where it is, what happens next, and what may be asked of it. Every surface shows the same.
type Explanation struct {
	Reason    Reason    `json:"reason"`
	Text      string    `json:"text"`                 // a sentence or two for people
	NextTryAt time.Time `json:"next_try_at,omitzero"` // of the reasons retry and callback, where it is known
	Actions   []Action  `json:"actions"`              // the first is the one that helps most often
}

// Explain explains a store as it was read; now is the time to which durations are told. It decides nothing: what is asked for is checked when it is asked.
func Explain(s State, now time.Time) Explanation {
	e := explainEnd(s)
	if !s.Status.Final() {
		e = explainLive(s, now)
	}
	e.Actions = actionsOf(s)
	return e
}

func explainEnd(s State) Explanation {
	switch {
	case s.PendingCallbacks > 0:
		e := Explanation{Reason: ReasonCallback, Text: fmt.Sprintf("The backend has not accepted %s yet; %s until it does.", callbacks(s.PendingCallbacks), again(s.PendingCallbacks))}
		if len(s.Deliveries) > 0 {
			e.NextTryAt = s.Deliveries[0].NextAt
		}
		return e
	case s.DeadLetterID != "":
		return Explanation{Reason: ReasonDeadLetter, Text: "The backend refused a callback. Fix the cause there, then replay it."}
	case s.Status == StatusSuspended:
		return Explanation{Reason: ReasonNothing, Text: "The shop is stopped and the backend has received the callback."}
	case s.Status == StatusReady:
		return Explanation{Reason: ReasonNothing, Text: "The store is up and the backend has received the callback."}
	case s.Status == StatusDeleted && s.RetainData:
		return Explanation{Reason: ReasonNothing, Text: "The shop is gone and the backend has received the callback. Its data is retained until the store is submitted or deleted again."}
	case s.Status == StatusDeleted:
		return Explanation{Reason: ReasonNothing, Text: "The store is gone and the backend has received the callback."}
	case s.Status == StatusDeleteFailed:
		return Explanation{Reason: ReasonFailed, Text: "The backend has received the callback. Fix the cause, then retry."}
	}
	return Explanation{Reason: ReasonFailed, Text: "The backend has received the callback. Fix the cause, then retry; it continues with what exists."}
}

func explainLive(s State, now time.Time) Explanation {
	until := fmt.Sprintf("; the request fails if it is not finished in %s", InWords(s.Deadline.Sub(now)))
	retry := Explanation{Reason: ReasonRetry, NextTryAt: s.NextRunAt}
	switch {
	case s.DeleteGeneration > 0 && s.Running:
		return Explanation{Reason: ReasonDelete, Text: "A delete that was accepted earlier is running; then this request begins."}
	case s.DeleteGeneration > 0:
		return Explanation{Reason: ReasonDelete, Text: "It waits for the end of a delete that was accepted earlier."}
	case s.CreatorInProgress > 0:
		return Explanation{Reason: ReasonCreatorLimit,
			Text: fmt.Sprintf("It waits: its creator has %s in progress, which is the limit. Its deadline starts when one of them is finished.", newStores(s.CreatorInProgress))}
	case !s.OnHoldSince.IsZero():
		return Explanation{Reason: ReasonHold,
			Text: fmt.Sprintf("It has been on hold for %s, since others of its engine and cluster have failed for one cause. The time does not count against its deadline.", InWords(now.Sub(s.OnHoldSince)))}
	case s.Running:
		return Explanation{Reason: ReasonRunning, Text: "A worker is running it" + atStep(s, now) + waitsFor(s) + "."}
	case s.Attempts > 0:
		retry.Text = fmt.Sprintf("It is retried %s: %s failed so far%s.", soon(s, now), runs(s.Attempts), until)
	case s.Crashes > 0:
		retry.Text = fmt.Sprintf("It is retried soon: %s ended without a result, as when a worker is killed%s.", runs(s.Crashes), until)
	case anyStep(s):
		retry.Text = "It is retried " + soon(s, now) + ": the cluster or Redis was unavailable, or its worker stopped" + until + "."
	default:
		return Explanation{Reason: ReasonWorker, Text: "It waits for a worker" + until + "."}
	}
	return retry
}

// actionsOf are what may be asked of a store as it is.
func actionsOf(s State) []Action {
	actions := []Action{}
	add := func(offered bool, a ...Action) {
		if offered {
			actions = append(actions, a...)
		}
	}
	final, provisioned := s.Status.Final(), s.Action == OpProvision
	add(final && s.Status != StatusDeleted && s.Status != StatusReady && s.Status != StatusSuspended, ActionRetry)
	add(s.DeadLetterID != "", ActionReplay)
	add(!final && !s.Running, ActionRetry, ActionCancel)
	add(s.Status == StatusReady || s.Status == StatusFailed, ActionRepair)
	add(provisioned && s.Suspended, ActionResume)
	add(s.Status == StatusReady, ActionSuspend, ActionRotate, ActionBackup, ActionRetry)
	add((s.Status == StatusReady || s.Status == StatusFailed) && !s.Suspended && s.Backup != nil, ActionRestore)
	add(provisioned && !s.Protected, ActionProtect)
	add(provisioned && s.Protected, ActionUnprotect)
	add(provisioned && !s.Protected || s.Status == StatusDeleted && s.RetainData, ActionDelete)
	return actions
}

// soon is when the next run is, as far as that is known.
func soon(s State, now time.Time) string {
	if left := s.NextRunAt.Sub(now); left > 0 {
		return "in " + InWords(left)
	}
	return "soon"
}

// waitsFor is what the run waits for, behind what it is at.
func waitsFor(s State) string {
	if s.WaitsFor == "" {
		return ""
	}
	return ". It waits: " + strings.TrimSuffix(s.WaitsFor, ".")
}

// lastStep is the last step of the newest generation.
func lastStep(s State) (last Step, ok bool) {
	for _, step := range s.Steps {
		if step.Generation == s.Generation {
			last, ok = step, true
		}
	}
	return last, ok
}

func atStep(s State, now time.Time) string {
	last, ok := lastStep(s)
	if !ok {
		return ""
	}
	if last.State != StepStarted {
		return ", between two steps"
	}
	return fmt.Sprintf(", in step %s for %s", last.Name, InWords(now.Sub(last.At)))
}

func anyStep(s State) bool {
	_, ok := lastStep(s)
	return ok
}

// InWords tells a duration to people.
func InWords(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0 s"
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

func runs(n int) string {
	if n == 1 {
		return "one run"
	}
	return fmt.Sprintf("%d runs", n)
}

func newStores(n int) string {
	if n == 1 {
		return "one new store"
	}
	return fmt.Sprintf("%d new stores", n)
}

func callbacks(n int) string {
	if n == 1 {
		return "one callback"
	}
	return fmt.Sprintf("%d callbacks", n)
}

func again(n int) string {
	if n == 1 {
		return "it is retried"
	}
	return "they are retried"
}

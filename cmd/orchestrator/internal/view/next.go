package view

import (
	"fmt"
	"time"

	"orchestrator/provision"
)

// Next says in words what will happen to the store now, and what a person has to do where nothing will.
func Next(s provision.State, now time.Time) string {
	if !s.Status.Final() {
		return nextOfLive(s, now)
	}
	if s.PendingCallbacks > 0 {
		return fmt.Sprintf("The backend has not taken %s yet; %s until it does.", callbacks(s.PendingCallbacks), again(s.PendingCallbacks))
	}
	if s.DeadLetterID != "" {
		return fmt.Sprintf("Nothing by itself: the backend refused a callback (see: orchestrator dead). Mend the cause, then: orchestrator replay %s", s.DeadLetterID)
	}
	switch {
	case s.Status == provision.StatusReady:
		return "Nothing: the store is up and the backend has been told."
	case s.Status == provision.StatusDeleted && s.RetainData:
		return "Nothing: the shop is gone and the backend has been told. Its data is retained until the store is submitted or deleted again."
	case s.Status == provision.StatusDeleted:
		return "Nothing: the store is gone and the backend has been told."
	case s.Status == provision.StatusDeleteFailed:
		return "Nothing by itself, the backend has been told. Mend the cause, then delete it again."
	}
	return "Nothing by itself, the backend has been told. Mend the cause, then submit the request again; what exists is kept and used."
}

func nextOfLive(s provision.State, now time.Time) string {
	until := fmt.Sprintf("; it is given up in %s", Duration(s.Deadline.Sub(now)))
	switch {
	case s.DeleteGeneration > 0 && s.Running:
		return "The delete accepted before it is being carried out; then this request begins."
	case s.DeleteGeneration > 0:
		return "It waits for the end of the delete accepted before it."
	case s.CreatorInProgress > 0:
		return fmt.Sprintf("It waits: its creator has %s under way, as many as may be. Its time begins when one is finished.", newStores(s.CreatorInProgress))
	case s.Running:
		return "A worker is at it" + atStep(s, now) + "."
	case s.Attempts > 0:
		return fmt.Sprintf("It is tried again soon: %s failed so far%s.", runs(s.Attempts), until)
	case s.Crashes > 0:
		return fmt.Sprintf("It is tried again soon: %s ended without a word, as when a worker is killed%s.", runs(s.Crashes), until)
	case len(Latest(s)) > 0:
		return "It waits for its next try: the cluster or Redis was away, or its worker stopped" + until + "."
	}
	return "It waits for a worker" + until + "."
}

func atStep(s provision.State, now time.Time) string {
	steps := Latest(s)
	if len(steps) == 0 {
		return ""
	}
	last := steps[len(steps)-1]
	if last.State != provision.StepStarted {
		return ", between two steps"
	}
	return fmt.Sprintf(", in step %s for %s", last.Name, Duration(Took(last, now)))
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
		return "it is repeated"
	}
	return "they are repeated"
}

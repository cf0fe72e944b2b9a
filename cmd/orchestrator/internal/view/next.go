package view

import (
	"fmt"
	"time"

	"orchestrator/provision"
)

// Next describes what will happen to the store now, and what an operator has to do if nothing will.
func Next(s provision.State, now time.Time) string {
	if !s.Status.Final() {
		return nextOfLive(s, now)
	}
	if s.PendingCallbacks > 0 {
		return fmt.Sprintf("The backend has not accepted %s yet; %s until it does.", callbacks(s.PendingCallbacks), again(s.PendingCallbacks))
	}
	if s.DeadLetterID != "" {
		return fmt.Sprintf("Nothing: the backend refused a callback (see: orchestrator dead-letters). Fix the cause, then run: orchestrator replay %s", s.DeadLetterID)
	}
	switch {
	case s.Status == provision.StatusSuspended:
		return "Nothing: the shop is stopped and the backend has received the callback. Start it with: orchestrator resume " + s.StoreID
	case s.Status == provision.StatusReady:
		return "Nothing: the store is up and the backend has received the callback."
	case s.Status == provision.StatusDeleted && s.RetainData:
		return "Nothing: the shop is gone and the backend has received the callback. Its data is retained until the store is submitted or deleted again."
	case s.Status == provision.StatusDeleted:
		return "Nothing: the store is gone and the backend has received the callback."
	case s.Status == provision.StatusDeleteFailed:
		return "Nothing: the backend has received the callback. Fix the cause, then run: orchestrator retry " + s.StoreID
	}
	return "Nothing: the backend has received the callback. Fix the cause, then run: orchestrator retry " + s.StoreID + " (it continues with what exists)"
}

func nextOfLive(s provision.State, now time.Time) string {
	until := fmt.Sprintf("; the request fails if it is not finished in %s", Duration(s.Deadline.Sub(now)))
	switch {
	case s.DeleteGeneration > 0 && s.Running:
		return "A delete that was accepted earlier is running; then this request begins."
	case s.DeleteGeneration > 0:
		return "It waits for the end of a delete that was accepted earlier."
	case s.CreatorInProgress > 0:
		return fmt.Sprintf("It waits: its creator has %s in progress, which is the limit. Its deadline starts when one of them is finished.", newStores(s.CreatorInProgress))
	case s.Running:
		return "A worker is running it" + atStep(s, now) + "."
	case s.Attempts > 0:
		return fmt.Sprintf("It is retried %s: %s failed so far%s.", soon(s, now), runs(s.Attempts), until)
	case s.Crashes > 0:
		return fmt.Sprintf("It is retried soon: %s ended without a result, as when a worker is killed%s.", runs(s.Crashes), until)
	case len(Latest(s)) > 0:
		return "It is retried " + soon(s, now) + ": the cluster or Redis was unavailable, or its worker stopped" + until + "."
	}
	return "It waits for a worker" + until + "."
}

// soon is when the next run is, as far as that is known.
func soon(s provision.State, now time.Time) string {
	if left := s.NextRunAt.Sub(now); left > 0 {
		return "in " + Duration(left)
	}
	return "soon"
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
		return "it is retried"
	}
	return "they are retried"
}

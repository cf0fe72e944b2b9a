package view

import (
	"fmt"
	"strings"
	"time"

	"orchestrator/provision"
)

// Latest returns the last entry of each step of the newest generation, in the order in which the steps began. After a retry
// only the entries of the new run count.
func Latest(s provision.State) []provision.Step {
	var latest []provision.Step
	index := map[string]int{}
	for _, step := range s.Steps {
		if step.Generation != s.Generation {
			continue
		}
		key := string(step.Op) + step.Name
		i, seen := index[key]
		if seen && step.State == provision.StepStarted && latest[i].State != provision.StepStarted {
			latest = dropFrom(latest, index, i)
			seen = false
		}
		if !seen {
			index[key] = len(latest)
			latest = append(latest, step)
			continue
		}
		latest[i] = step
	}
	return latest
}

// dropFrom drops the entries from i on: a new run has begun this step again.
func dropFrom(steps []provision.Step, index map[string]int, i int) []provision.Step {
	for _, step := range steps[i:] {
		delete(index, string(step.Op)+step.Name)
	}
	return steps[:i]
}

// Took returns how long a step took, or how long it has been running at the time now.
func Took(step provision.Step, now time.Time) time.Duration {
	if step.State == provision.StepStarted {
		return max(0, now.Sub(step.At))
	}
	return time.Duration(step.Millis) * time.Millisecond
}

// Progress returns a store's steps so far in one line: "namespace 0.1s · release 1.2s · ready 3.4s…".
func Progress(s provision.State, now time.Time) string {
	var parts []string
	for _, step := range Latest(s) {
		text := step.Name + " " + strings.ReplaceAll(Duration(Took(step, now)), " ", "")
		switch {
		case step.State == provision.StepFailed:
			text = step.Name + " failed: " + step.Error
			if step.Tries > 1 {
				text = fmt.Sprintf("%s failed %d times: %s", step.Name, step.Tries, step.Error)
			}
		case step.State == provision.StepStarted && s.Status.Final():
			text = step.Name + " interrupted"
		case step.State == provision.StepStarted:
			text += "…"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 && !s.Status.Final() {
		return "waits for a worker"
	}
	return strings.Join(parts, " · ")
}

// Elapsed returns the time from acceptance to the outcome, or to now.
func Elapsed(s provision.State, now time.Time) time.Duration {
	if s.Status.Final() && !s.DecidedAt.IsZero() {
		now = s.DecidedAt
	}
	return max(0, now.Sub(s.AcceptedAt))
}

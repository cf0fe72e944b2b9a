package view

import (
	"fmt"
	"time"

	"orchestrator/provision"
)

// Next describes what will happen to the store now, and what an operator has to do if nothing will.
func Next(s provision.State, now time.Time) string {
	e := provision.Explain(s, now)
	switch {
	case e.Reason == provision.ReasonDeadLetter:
		return fmt.Sprintf("Nothing: %s See: orchestrator dead-letters. Then run: orchestrator replay %s", e.Text, s.DeadLetterID)
	case e.Reason == provision.ReasonFailed:
		return "Nothing: " + e.Text + " Run: orchestrator retry " + s.StoreID
	case s.Status == provision.StatusSuspended && e.Reason == provision.ReasonNothing:
		return "Nothing: " + e.Text + " Start it with: orchestrator resume " + s.StoreID
	case e.Reason == provision.ReasonNothing:
		return "Nothing: " + e.Text
	case e.Reason == provision.ReasonHold:
		return e.Text + " See: orchestrator holds"
	}
	return e.Text
}

func runs(n int) string {
	if n == 1 {
		return "one run"
	}
	return fmt.Sprintf("%d runs", n)
}

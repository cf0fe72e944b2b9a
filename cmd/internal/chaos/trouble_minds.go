package main

import (
	"context"
	"math/rand/v2"
	"time"

	"orchestrator/cmd/internal/chaos/rig"
)

const superseded = "customer changed his mind"

// mindFaults are requests that come while the one before is in a certain step.
func (t *trouble) mindFaults() lane {
	var faults []fault
	for _, place := range rig.Places {
		faults = append(faults, fault{superseded, func(ctx context.Context, _ *rand.Rand) { t.changeMind(ctx, place) }})
	}
	return lane{faults, 3 * time.Second}
}

// changeMind waits for a run to be in a step and makes its store's customer ask for something else.
func (t *trouble) changeMind(ctx context.Context, place rig.Place) {
	met := make(chan rig.Run, 1)
	giveUp := t.rig.Watch.Await(&rig.Aim{At: func(p rig.Place) bool { return p == place }, Fire: func(r rig.Run) { met <- r }})
	select {
	case r := <-met:
		for _, c := range t.customers {
			if c.id == r.Store {
				t.note(superseded, []rig.Run{r})
				select {
				case c.nudge <- struct{}{}:
				default:
				}
			}
		}
	case <-time.After(5 * time.Second):
		giveUp()
	case <-ctx.Done():
		giveUp()
	}
}

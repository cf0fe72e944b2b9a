package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
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

// changeMind waits for a run to be in a step and makes its store's customer ask for something else. The run stands still
// until the request is accepted, and a little longer: time enough for a second run to begin, if anybody let it.
func (t *trouble) changeMind(ctx context.Context, place rig.Place) {
	met := make(chan rig.Run, 1)
	giveUp := t.rig.Watch.Await(&rig.Aim{
		At: func(p rig.Place) bool { return p == place },
		Fire: func(r rig.Run) {
			t.hurry(ctx, r.Store)
			met <- r
		},
	})
	select {
	case r := <-met:
		t.note(superseded, []rig.Run{r})
	case <-time.After(5 * time.Second):
		giveUp()
	case <-ctx.Done():
		giveUp()
	}
}

// hurry makes a customer send the next request now, and returns soon after it was accepted, or after a while.
func (t *trouble) hurry(ctx context.Context, store string) {
	i := slices.IndexFunc(t.customers, func(c *customer) bool { return c.id == store })
	if i < 0 {
		return
	}
	c := t.customers[i]
	before := c.newest()
	select {
	case c.nudge <- struct{}{}:
	default:
	}
	for range 10 {
		if !rig.Sleep(ctx, 100*time.Millisecond) || c.newest() > before {
			break
		}
	}
	rig.Sleep(ctx, 500*time.Millisecond)
}

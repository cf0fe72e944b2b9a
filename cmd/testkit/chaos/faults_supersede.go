package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
)

const superseded = "request superseded"

// supersedeFaults send a request while the one before it is in a certain step, once for each step.
func (inj *injector) supersedeFaults() schedule {
	var faults []fault
	for _, step := range rig.Steps {
		faults = append(faults, fault{superseded, func(ctx context.Context, _ *rand.Rand) { inj.supersede(ctx, step) }})
	}
	return schedule{faults, 3 * time.Second}
}

// supersede waits for a run to reach a step and makes the client of its store send another request. The run is held until
// the request is accepted and half a second more, which is enough for a second run to begin if nothing prevents it.
func (inj *injector) supersede(ctx context.Context, step rig.StepID) {
	reached := make(chan rig.Run, 1)
	cancel := inj.rig.Watch.Await(&rig.Aim{
		At: func(p rig.StepID) bool { return p == step },
		Fire: func(r rig.Run) {
			inj.nudgeClient(ctx, r.Store)
			reached <- r
		},
	})
	select {
	case r := <-reached:
		inj.note(superseded, []rig.Run{r})
	case <-time.After(5 * time.Second):
		cancel()
	case <-ctx.Done():
		cancel()
	}
}

// nudgeClient makes a client send its next request now. It returns half a second after the request was accepted, or after
// a second and a half if it was not.
func (inj *injector) nudgeClient(ctx context.Context, store string) {
	i := slices.IndexFunc(inj.clients, func(c *client) bool { return c.id == store })
	if i < 0 {
		return
	}
	c := inj.clients[i]
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

package main

import (
	"context"
	"math/rand/v2"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
)

// schedules are the faults that run concurrently: all of them, or those that one guard protects against.
func (inj *injector) schedules() []schedule {
	switch inj.options.aim {
	case "lease":
		return []schedule{inj.supersedeFaults(), inj.supersedeFaults()}
	case "fence":
		return []schedule{inj.pausesWhileWriting(), inj.pausesWhileWriting()}
	case "outcome":
		return []schedule{{[]fault{inj.lostOutcome()}, time.Second}}
	case "sweeper":
		return []schedule{{[]fault{inj.lostEnqueue()}, time.Second}}
	case "claim":
		return []schedule{{[]fault{{"backend: slow", func(ctx context.Context, dice *rand.Rand) { inj.disturbBackend(ctx, dice, rig.Slow) }}}, time.Second}}
	case "delete", "identity", "rotation", "none":
		return nil
	}
	return []schedule{inj.workerFaults(), inj.serviceFaults(), inj.splitFaults(), inj.outsideFaults(), inj.lossFaults(), inj.supersedeFaults()}
}

// pausesWhileWriting pauses workers in the middle of a write, beyond their lease.
func (inj *injector) pausesWhileWriting() schedule {
	at := map[rig.StepID]bool{{Op: "provision", Step: "release"}: true, {Op: "delete", Step: "release"}: true}
	return schedule{[]fault{{slept, func(ctx context.Context, dice *rand.Rand) { inj.hitAt(ctx, dice, slept, at, whileWriting) }}}, 5 * time.Second}
}

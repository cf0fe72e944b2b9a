package main

import (
	"context"
	"math/rand/v2"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
)

// lanes are the faults that go on beside each other: all of them, or those that one guard is there for.
func (t *trouble) lanes() []lane {
	switch t.options.aim {
	case "gate":
		return []lane{t.mindFaults(), t.mindFaults()}
	case "fence":
		return []lane{t.sleepsWhileWriting(), t.sleepsWhileWriting()}
	case "verdict":
		return []lane{{[]fault{t.lostVerdict()}, time.Second}}
	case "sweeper":
		return []lane{{[]fault{t.lostEnqueue()}, time.Second}}
	case "turn":
		return []lane{{[]fault{{"backend: slow", func(ctx context.Context, dice *rand.Rand) { t.upset(ctx, dice, rig.Slow) }}}, time.Second}}
	case "delete", "none":
		return nil
	}
	return []lane{t.workerFaults(), t.serviceFaults(), t.outsideFaults(), t.lossFaults(), t.mindFaults()}
}

// sleepsWhileWriting stops workers in the middle of what they write, beyond their lease.
func (t *trouble) sleepsWhileWriting() lane {
	at := map[rig.Place]bool{{Op: "provision", Step: "release"}: true, {Op: "delete", Step: "release"}: true}
	return lane{[]fault{{slept, func(ctx context.Context, dice *rand.Rand) { t.strikeAt(ctx, dice, slept, at, whileWriting) }}}, 5 * time.Second}
}

package main

import (
	"context"
	"math/rand/v2"
	"time"

	"orchestrator/cmd/internal/chaos/rig"
)

const wiped = "namespace deleted by hand"

// outsideFaults are of the backend, of people, and of the ways in between.
func (t *trouble) outsideFaults() lane {
	faults := []fault{
		{wiped, t.wipe},
		{wiped, t.wipe},
		{rig.LostVerdict, func(ctx context.Context, _ *rand.Rand) { t.lose(ctx, rig.LostVerdict, t.rig.Lose.Verdicts) }},
		{rig.LostAccept, func(ctx context.Context, _ *rand.Rand) { t.lose(ctx, rig.LostAccept, t.rig.Lose.Accepts) }},
		{rig.LostEnqueue, t.loseEnqueues},
	}
	for _, mood := range []rig.Mood{rig.Slow, rig.Errors, rig.Hangs, rig.Down, rig.Erring} {
		faults = append(faults, fault{"backend: " + string(mood), func(ctx context.Context, dice *rand.Rand) { t.upset(ctx, dice, mood) }})
	}
	return lane{faults, 3 * time.Second}
}

// upset makes the backend answer otherwise for a while.
func (t *trouble) upset(ctx context.Context, dice *rand.Rand, mood rig.Mood) {
	t.note("backend: "+string(mood), nil)
	t.rig.Backend.Feel(mood)
	rig.Sleep(ctx, t.between(dice, 2*time.Second, 20*time.Second))
	t.rig.Backend.Feel(rig.Well)
}

// lose waits until the next answer has been lost, though not for ever.
func (t *trouble) lose(ctx context.Context, what string, arm func(int)) {
	before := t.rig.Lose.Happened(what)
	arm(1)
	for range 60 {
		if t.rig.Lose.Happened(what) > before {
			t.note(what, nil)
			return
		}
		if !rig.Sleep(ctx, 100*time.Millisecond) {
			break
		}
	}
	arm(0)
}

func (t *trouble) loseEnqueues(ctx context.Context, _ *rand.Rand) {
	before := t.rig.Lose.Happened(rig.LostEnqueue)
	t.rig.Lose.Enqueues(6 * time.Second)
	for range 60 {
		if t.rig.Lose.Happened(rig.LostEnqueue) > before {
			t.note(rig.LostEnqueue, nil)
			break
		}
		if !rig.Sleep(ctx, 100*time.Millisecond) {
			break
		}
	}
	rig.Sleep(ctx, 2*time.Second)
	t.rig.Lose.Enqueues(0)
}

// wipe deletes a living store's namespace as an operator's mistake would.
func (t *trouble) wipe(ctx context.Context, dice *rand.Rand) {
	for _, i := range dice.Perm(len(t.customers)) {
		c := t.customers[i]
		if !c.wipe() {
			continue
		}
		var runs []rig.Run
		for _, r := range t.rig.Watch.Inside("") {
			if r.Store == c.id {
				runs = append(runs, r)
			}
		}
		if t.rig.Cluster.Kube.Delete(ctx, "/api/v1/namespaces/store-"+c.id) == nil {
			t.note(wiped, runs)
		}
		return
	}
}

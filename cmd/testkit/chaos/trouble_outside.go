package main

import (
	"context"
	"math/rand/v2"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
)

const wiped = "namespace deleted by hand"

// outsideFaults are of the backend and of people.
func (t *trouble) outsideFaults() lane {
	faults := []fault{
		{wiped, t.wipe},
		{wiped, t.wipe},
	}
	for _, mood := range []rig.Mood{rig.Slow, rig.Errors, rig.Hangs, rig.Down, rig.Erring} {
		faults = append(faults, fault{"backend: " + string(mood), func(ctx context.Context, dice *rand.Rand) { t.upset(ctx, dice, mood) }})
	}
	return lane{faults, 3 * time.Second}
}

// lossFaults are of the ways to Redis.
func (t *trouble) lossFaults() lane {
	return lane{[]fault{t.lostVerdict(), t.lostAccept(), t.lostEnqueue()}, 4 * time.Second}
}

func (t *trouble) lostVerdict() fault {
	return fault{rig.LostVerdict, func(ctx context.Context, _ *rand.Rand) {
		t.lose(ctx, rig.LostVerdict, func() { t.rig.Lose.Verdicts(1) })
	}}
}

func (t *trouble) lostAccept() fault {
	return fault{rig.LostAccept, func(ctx context.Context, _ *rand.Rand) { t.lose(ctx, rig.LostAccept, func() { t.rig.Lose.Accepts(1) }) }}
}

func (t *trouble) lostEnqueue() fault {
	return fault{rig.LostEnqueue, func(ctx context.Context, _ *rand.Rand) {
		t.lose(ctx, rig.LostEnqueue, func() { t.rig.Lose.Enqueues(8 * time.Second) })
		rig.Sleep(ctx, 2*time.Second) // until the client has given up
		t.rig.Lose.Enqueues(0)
	}}
}

// upset makes the backend answer otherwise for a while.
func (t *trouble) upset(ctx context.Context, dice *rand.Rand, mood rig.Mood) {
	t.note("backend: "+string(mood), nil)
	t.rig.Backend.Feel(mood)
	rig.Sleep(ctx, t.between(dice, 2*time.Second, 20*time.Second))
	t.rig.Backend.Feel(rig.Well)
}

// lose arms a loss and waits until it has happened, though not for ever.
func (t *trouble) lose(ctx context.Context, what string, arm func()) {
	before := t.rig.Lose.Happened(what)
	arm()
	for range 80 {
		if t.rig.Lose.Happened(what) > before {
			t.note(what, nil)
			return
		}
		if !rig.Sleep(ctx, 100*time.Millisecond) {
			return
		}
	}
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

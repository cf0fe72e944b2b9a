package main

import (
	"context"
	"math/rand/v2"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
)

const wiped = "namespace deleted by hand"

// outsideFaults come from the backend and from operators.
func (inj *injector) outsideFaults() schedule {
	faults := []fault{
		{wiped, inj.wipe},
		{wiped, inj.wipe},
	}
	for _, mode := range []rig.Mode{rig.Slow, rig.Errors, rig.Hangs, rig.Down, rig.Mixed} {
		faults = append(faults, fault{"backend: " + string(mode), func(ctx context.Context, dice *rand.Rand) { inj.disturbBackend(ctx, dice, mode) }})
	}
	return schedule{faults, 3 * time.Second}
}

// lossFaults lose single messages between the services and Redis.
func (inj *injector) lossFaults() schedule {
	return schedule{[]fault{inj.lostOutcome(), inj.lostAccept(), inj.lostEnqueue()}, 4 * time.Second}
}

func (inj *injector) lostOutcome() fault {
	return fault{rig.LostOutcome, func(ctx context.Context, _ *rand.Rand) {
		inj.lose(ctx, rig.LostOutcome, func() { inj.rig.Lose.Outcomes(1) })
	}}
}

func (inj *injector) lostAccept() fault {
	return fault{rig.LostAccept, func(ctx context.Context, _ *rand.Rand) {
		inj.lose(ctx, rig.LostAccept, func() { inj.rig.Lose.Accepts(1) })
	}}
}

func (inj *injector) lostEnqueue() fault {
	return fault{rig.LostEnqueue, func(ctx context.Context, _ *rand.Rand) {
		inj.lose(ctx, rig.LostEnqueue, func() { inj.rig.Lose.Enqueues(8 * time.Second) })
		rig.Sleep(ctx, 2*time.Second) // until the client has given up
		inj.rig.Lose.Enqueues(0)
	}}
}

// disturbBackend puts the backend into another mode for a while.
func (inj *injector) disturbBackend(ctx context.Context, dice *rand.Rand, mode rig.Mode) {
	inj.note("backend: "+string(mode), nil)
	inj.rig.Backend.SetMode(mode)
	rig.Sleep(ctx, inj.between(dice, 2*time.Second, 20*time.Second))
	inj.rig.Backend.SetMode(rig.Healthy)
}

// lose arms a loss and waits up to eight seconds for it to happen.
func (inj *injector) lose(ctx context.Context, what string, arm func()) {
	before := inj.rig.Lose.Happened(what)
	arm()
	for range 80 {
		if inj.rig.Lose.Happened(what) > before {
			inj.note(what, nil)
			return
		}
		if !rig.Sleep(ctx, 100*time.Millisecond) {
			return
		}
	}
}

// wipe deletes the namespace of a store that should exist, as an operator might by mistake.
func (inj *injector) wipe(ctx context.Context, dice *rand.Rand) {
	for _, i := range dice.Perm(len(inj.clients)) {
		c := inj.clients[i]
		if !c.wipe() {
			continue
		}
		var runs []rig.Run
		for _, r := range inj.rig.Watch.Running("") {
			if r.Store == c.id {
				runs = append(runs, r)
			}
		}
		if inj.rig.Clusters.Delete(ctx, "/api/v1/namespaces/store-"+c.id) {
			inj.note(wiped, runs)
		}
		return
	}
}

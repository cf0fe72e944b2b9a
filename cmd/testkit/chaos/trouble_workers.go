package main

import (
	"context"
	"maps"
	"math/rand/v2"
	"syscall"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

// The faults of workers. Each ends in a worker less, which is replaced at once.
const (
	killed  = "worker killed"
	slept   = "worker stopped beyond its lease"
	stopped = "worker told to stop"
)

// A sleep is longer than the gate's lease of 30 seconds, and where time allows than the turn's of 45.
const (
	shortestSleep = 36 * time.Second
	longestSleep  = 56 * time.Second
)

// workerFaults are aimed: of the places, each is struck once before any is struck again.
func (t *trouble) workerFaults() lane {
	left := map[rig.Place]bool{}
	aimed := func(name string) fault {
		return fault{name, func(ctx context.Context, dice *rand.Rand) {
			if len(left) == 0 {
				for _, p := range rig.Places {
					left[p] = true
				}
			}
			if r, ok := t.strike(ctx, dice, name, left); ok {
				delete(left, r.Place)
			}
		}}
	}
	return lane{[]fault{aimed(killed), aimed(killed), aimed(killed), aimed(killed), aimed(slept), aimed(stopped)}, 2 * time.Second}
}

// strike waits for a run to be in one of the places and lets the fault happen to its worker: where the step begins,
// where it writes, or somewhere on its way.
func (t *trouble) strike(ctx context.Context, dice *rand.Rand, name string, at map[rig.Place]bool) (rig.Run, bool) {
	return t.strikeAt(ctx, dice, name, at, depth(dice.IntN(3)))
}

type depth int

const (
	atBeginning depth = iota
	whileWriting
	onItsWay
)

// patience is how long an aim waits to be met.
const patience = 8 * time.Second

func (t *trouble) strikeAt(ctx context.Context, dice *rand.Rand, name string, at map[rig.Place]bool, deep depth) (rig.Run, bool) {
	if name == slept && t.left() < shortestSleep {
		name = stopped // it would be woken before another worker has followed
	}
	wanted, met := maps.Clone(at), make(chan rig.Run, 1)
	giveUp := t.rig.Watch.Await(&rig.Aim{
		At:    func(p rig.Place) bool { return wanted[p] },
		Write: deep == whileWriting,
		Fire: func(r rig.Run) {
			if deep == onItsWay || t.hurt(name, r.Worker) { // on its way the run goes on while the fault waits
				met <- r
			}
			close(met)
		},
	})
	var r rig.Run
	select {
	case r = <-met:
	case <-time.After(patience):
	case <-ctx.Done():
	}
	if r.Worker == "" && !giveUp() {
		r = <-met // it was met just now
	}
	if r.Worker == "" {
		return r, false
	}
	if deep == onItsWay {
		rig.Sleep(ctx, time.Duration(dice.Float64()*float64(min(t.rig.Watch.Took(r.Place), 5*time.Second))))
		if !t.hurt(name, r.Worker) {
			return r, false
		}
	}
	t.follow(ctx, name, r.Worker, dice)
	return r, true
}

// hurt sends the fault's signal, and reports false for a worker that sleeps, stops or is dead already.
func (t *trouble) hurt(name, worker string) bool {
	t.mu.Lock()
	already := t.struck[worker]
	t.struck[worker] = true
	t.mu.Unlock()
	if already {
		return false
	}
	w := t.rig.Worker(worker)
	t.note(name, t.rig.Watch.Inside(worker))
	switch name {
	case slept:
		t.rig.Watch.Disturbed(worker)
		w.Signal(syscall.SIGSTOP)
	case stopped:
		w.Signal(syscall.SIGTERM)
	default:
		w.Signal(syscall.SIGKILL)
	}
	return true
}

// follow replaces the worker and sees to its end.
func (t *trouble) follow(ctx context.Context, name, worker string, dice *rand.Rand) {
	if _, err := t.rig.StartWorker(); err != nil {
		t.find(model.Stuck, "a worker starts", "%v", err)
	}
	w := t.rig.Worker(worker)
	sleep := shortestSleep + time.Duration(dice.Int64N(int64(longestSleep-shortestSleep)))
	t.restoring.Go(func() { t.see(ctx, name, w, sleep) })
}

// see brings a hurt worker to its end.
func (t *trouble) see(ctx context.Context, name string, w *rig.Worker, sleep time.Duration) {
	defer t.rig.Bury(w)
	switch name {
	case slept:
		rig.Sleep(ctx, sleep)
		t.rig.Watch.Disturbed(w.Name)
		w.Signal(syscall.SIGCONT)
		rig.Sleep(ctx, 10*time.Second) // long enough to do harm
		w.Signal(syscall.SIGTERM)
		fallthrough
	case stopped:
		if begun := time.Now(); !w.Ends(rig.StopTime) {
			t.find(model.Wrong, "a worker that is told to stop ends by itself within 90 seconds, with success", "%s, after %s", w.Name, time.Since(begun))
		}
	default:
		w.Kill()
	}
}

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

// The faults of workers. Each costs a worker, which is replaced at once.
const (
	killed  = "worker killed"
	slept   = "worker paused beyond its lease"
	stopped = "worker terminated"
)

const (
	splitFromRedis = "worker cut off from Redis"
	splitFromAPI   = "worker cut off from the API server"
)

// A pause is longer than a store's lease of 30 seconds, and some are longer than a callback's claim of 45.
const (
	shortestPause = 36 * time.Second
	longestPause  = 56 * time.Second
)

// workerFaults hit workers in chosen steps. Every step is hit once before any is hit again.
func (inj *injector) workerFaults() schedule {
	left := map[rig.StepID]bool{}
	aimed := func(name string) fault {
		return fault{name, func(ctx context.Context, dice *rand.Rand) {
			if len(left) == 0 {
				for _, p := range rig.Steps {
					left[p] = true
				}
			}
			if r, ok := inj.hit(ctx, dice, name, left); ok {
				delete(left, r.Step)
			}
		}}
	}
	return schedule{[]fault{aimed(killed), aimed(killed), aimed(killed), aimed(killed), aimed(slept), aimed(stopped)}, 2 * time.Second}
}

// hit waits for a run to reach one of the steps and injects the fault into its worker: when the step begins, when it
// writes, or at a random time in between.
func (inj *injector) hit(ctx context.Context, dice *rand.Rand, name string, at map[rig.StepID]bool) (rig.Run, bool) {
	return inj.hitAt(ctx, dice, name, at, moment(dice.IntN(3)))
}

// moment is when in a step a fault happens.
type moment int

const (
	atStart moment = iota
	whileWriting
	midway
)

// aimTimeout is how long to wait for a run to reach a step.
const aimTimeout = 8 * time.Second

func (inj *injector) hitAt(ctx context.Context, dice *rand.Rand, name string, at map[rig.StepID]bool, when moment) (rig.Run, bool) {
	switch enough := inj.left() >= shortestPause; {
	case name == slept && !enough:
		name = stopped // it would be resumed before another worker has taken over
	case enough && inj.pauseIsMissing():
		name = slept
	}
	wanted, reached := maps.Clone(at), make(chan rig.Run, 1)
	cancel := inj.rig.Watch.Await(&rig.Aim{
		At:    func(p rig.StepID) bool { return wanted[p] },
		Write: when == whileWriting,
		Fire: func(r rig.Run) {
			if when == midway || inj.signal(name, r.Worker) { // midway, the run goes on until the fault is due
				reached <- r
			}
			close(reached)
		},
	})
	var r rig.Run
	select {
	case r = <-reached:
	case <-time.After(aimTimeout):
	case <-ctx.Done():
	}
	if r.Worker == "" && !cancel() {
		r = <-reached // reached just now
	}
	if r.Worker == "" {
		return r, false
	}
	if when == midway {
		rig.Sleep(ctx, time.Duration(dice.Float64()*float64(min(inj.rig.Watch.Took(r.Step), 5*time.Second))))
		if !inj.signal(name, r.Worker) {
			return r, false
		}
	}
	inj.replace(ctx, name, r.Worker, dice)
	return r, true
}

// splitFaults cut workers off from what they depend on, for longer than a lease now and then. The process lives on.
func (inj *injector) splitFaults() schedule {
	return schedule{[]fault{
		{splitFromRedis, func(ctx context.Context, dice *rand.Rand) {
			inj.split(ctx, dice, splitFromRedis, (*rig.Worker).SplitFromRedis)
		}},
		{splitFromAPI, func(ctx context.Context, dice *rand.Rand) {
			inj.split(ctx, dice, splitFromAPI, (*rig.Worker).SplitFromAPI)
		}},
	}, 8 * time.Second}
}

func (inj *injector) split(ctx context.Context, dice *rand.Rand, name string, split func(*rig.Worker)) {
	all := inj.rig.Workers()
	w := all[dice.IntN(len(all))]
	inj.note(name, inj.rig.Watch.Running(w.Name))
	if name == splitFromRedis {
		inj.rig.Watch.Disturbed(w.Name)
		defer inj.rig.Watch.Disturbed(w.Name)
	}
	split(w)
	defer w.Join()
	rig.Sleep(ctx, inj.between(dice, 5*time.Second, 45*time.Second))
}

// signal sends the fault's signal. It reports false for a worker that is already paused, stopping or gone.
func (inj *injector) signal(name, worker string) bool {
	inj.mu.Lock()
	already := inj.affected[worker]
	inj.affected[worker] = true
	inj.mu.Unlock()
	if already {
		return false
	}
	w := inj.rig.Worker(worker)
	inj.note(name, inj.rig.Watch.Running(worker))
	switch name {
	case slept:
		inj.rig.Watch.Disturbed(worker)
		w.Signal(syscall.SIGSTOP)
	case stopped:
		w.Signal(syscall.SIGTERM)
	default:
		w.Signal(syscall.SIGKILL)
	}
	return true
}

// replace starts another worker and ends the affected one in the background.
func (inj *injector) replace(ctx context.Context, name, worker string, dice *rand.Rand) {
	if _, err := inj.rig.StartWorker(); err != nil {
		inj.find(model.Stuck, "a worker starts", "%v", err)
	}
	w := inj.rig.Worker(worker)
	pause := shortestPause + time.Duration(dice.Int64N(int64(longestPause-shortestPause)))
	inj.restoring.Go(func() { inj.finish(ctx, name, w, pause) })
}

// finish ends an affected worker: it resumes a paused one, and waits for one that stops.
func (inj *injector) finish(ctx context.Context, name string, w *rig.Worker, pause time.Duration) {
	defer inj.rig.Retire(w)
	switch name {
	case slept:
		rig.Sleep(ctx, pause)
		inj.rig.Watch.Disturbed(w.Name)
		w.Signal(syscall.SIGCONT)
		rig.Sleep(ctx, 10*time.Second) // long enough to write what it must not
		w.Signal(syscall.SIGTERM)
		fallthrough
	case stopped:
		if begun := time.Now(); !w.Exits(rig.StopTime) {
			inj.find(model.Wrong, "a terminated worker exits with status 0 within 90 seconds", "%s did not, %s after SIGTERM", w.Name, time.Since(begun))
		}
	default:
		w.Kill()
	}
}

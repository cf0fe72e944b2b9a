package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

// injector injects faults, one after the other on each of its schedules, and counts them.
type injector struct {
	rig       *rig.Rig
	options   options
	clients   []*client
	restoring sync.WaitGroup

	mu       sync.Mutex
	ends     time.Time                     // when fault injection ends
	happened map[string]int                // by fault
	extended bool                          // faults go on after their time, since something is missing
	hits     map[string]map[rig.StepID]int // by fault: how many runs were in each step when it happened
	affected map[string]bool               // workers that are paused, stopping or gone
	findings []model.Finding
}

func newInjector(r *rig.Rig, o options, clients []*client) *injector {
	return &injector{rig: r, options: o, clients: clients, happened: map[string]int{}, hits: map[string]map[rig.StepID]int{}, affected: map[string]bool{}, ends: time.Now().Add(o.faults)}
}

// fault is one kind of fault. do returns when the next fault of the same schedule may begin.
type fault struct {
	name string
	do   func(ctx context.Context, dice *rand.Rand)
}

// schedule repeats its faults in random order, each as often as the others.
type schedule struct {
	faults []fault
	pause  time.Duration // the longest pause between two faults, besides one second
}

// inject runs all schedules until ctx ends.
func (inj *injector) inject(ctx context.Context) {
	var all sync.WaitGroup
	for i, s := range inj.schedules() {
		dice := rand.New(rand.NewPCG(inj.options.seed, uint64(1000+i)))
		all.Go(func() { inj.run(ctx, s, dice) })
	}
	all.Wait()
}

func (inj *injector) run(ctx context.Context, s schedule, dice *rand.Rand) {
	rig.Sleep(ctx, 3*time.Second) // so that workers are in the middle of something
	for ctx.Err() == nil {
		for _, i := range dice.Perm(len(s.faults)) {
			s.faults[i].do(ctx, dice)
			if !rig.Sleep(ctx, time.Second+time.Duration(dice.Int64N(int64(s.pause)))) {
				return
			}
		}
	}
}

// note counts a fault and the runs that it hit.
func (inj *injector) note(name string, runs []rig.Run) {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	inj.happened[name]++
	if inj.hits[name] == nil {
		inj.hits[name] = map[rig.StepID]int{}
	}
	steps := map[rig.StepID]bool{}
	for _, r := range runs {
		inj.hits[name][r.Step]++
		steps[r.Step] = true
	}
	fmt.Printf("%s  %s: hit %d runs in %d different steps\n", time.Now().Format(time.TimeOnly), name, len(runs), len(steps))
}

func (inj *injector) find(kind model.Kind, expected, found string, args ...any) {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	inj.findings = append(inj.findings, model.Finding{Kind: kind, Store: "-", Expected: expected, Found: fmt.Sprintf(found, args...)})
}

// found returns what was found while faults were injected.
func (inj *injector) found() []model.Finding {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	return append(violations(inj.rig), inj.findings...)
}

// repair ends every fault and returns when all processes run and answer.
func (inj *injector) repair(ctx context.Context) error {
	inj.restoring.Wait()
	inj.rig.Backend.SetMode(rig.Healthy)
	inj.rig.Lose.Outcomes(0)
	inj.rig.Lose.Accepts(0)
	inj.rig.Lose.Enqueues(0)
	for _, w := range inj.rig.Workers() {
		w.Join()
	}
	return inj.rig.Clusters.Resume(ctx)
}

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

// trouble makes faults, one after the other in each of a few lanes, and counts them.
type trouble struct {
	rig       *rig.Rig
	options   options
	customers []*customer
	restoring sync.WaitGroup

	mu       sync.Mutex
	ends     time.Time                    // of the faults
	happened map[string]int               // by fault
	hits     map[string]map[rig.Place]int // by fault: the runs that were in a step when it happened
	struck   map[string]bool              // workers that sleep, stop or are dead
	findings []model.Finding
}

func newTrouble(r *rig.Rig, o options, customers []*customer) *trouble {
	return &trouble{rig: r, options: o, customers: customers, happened: map[string]int{}, hits: map[string]map[rig.Place]int{}, struck: map[string]bool{}, ends: time.Now().Add(o.faults)}
}

// fault is one kind of fault. It returns when the next one of its lane may come.
type fault struct {
	name string
	do   func(ctx context.Context, dice *rand.Rand)
}

// lane makes its faults in an order of the dice, each as often as the others.
type lane struct {
	faults []fault
	pause  time.Duration // at most, between two
}

// make makes faults until ctx ends.
func (t *trouble) make(ctx context.Context) {
	var all sync.WaitGroup
	for i, l := range t.lanes() {
		dice := rand.New(rand.NewPCG(t.options.seed, uint64(1000+i)))
		all.Go(func() { t.drive(ctx, l, dice) })
	}
	all.Wait()
}

func (t *trouble) drive(ctx context.Context, l lane, dice *rand.Rand) {
	rig.Sleep(ctx, 3*time.Second) // workers have to begin something first
	for ctx.Err() == nil {
		for _, i := range dice.Perm(len(l.faults)) {
			l.faults[i].do(ctx, dice)
			if !rig.Sleep(ctx, time.Second+time.Duration(dice.Int64N(int64(l.pause)))) {
				return
			}
		}
	}
}

// note counts a fault and the runs that it hits.
func (t *trouble) note(name string, runs []rig.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.happened[name]++
	if t.hits[name] == nil {
		t.hits[name] = map[rig.Place]int{}
	}
	places := map[rig.Place]bool{}
	for _, r := range runs {
		t.hits[name][r.Place]++
		places[r.Place] = true
	}
	fmt.Printf("%s  %s, %d runs in %d kinds of steps\n", time.Now().Format(time.TimeOnly), name, len(runs), len(places))
}

func (t *trouble) find(kind model.Kind, expected, found string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.findings = append(t.findings, model.Finding{Kind: kind, Store: "-", Expected: expected, Found: fmt.Sprintf(found, args...)})
}

// found returns what was found on the way.
func (t *trouble) found() []model.Finding {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(violations(t.rig), t.findings...)
}

// mend ends every fault and returns when everything runs.
func (t *trouble) mend(ctx context.Context) error {
	t.restoring.Wait()
	t.rig.Backend.Feel(rig.Well)
	t.rig.Lose.Verdicts(0)
	t.rig.Lose.Accepts(0)
	t.rig.Lose.Enqueues(0)
	t.rig.Cluster.SignalAPI(syscall.SIGCONT)
	if dead := t.rig.Dead(); len(dead) > 0 {
		return fmt.Errorf("ended by themselves: %v; see their logs", dead)
	}
	if t.rig.Cluster.Ended() {
		return fmt.Errorf("the development cluster has ended; see its log")
	}
	return t.rig.Cluster.AwaitAPI(ctx)
}

// Command chaos breaks everything that may break, at random, and then looks whether every accepted request still came to
// exactly one truth. docs/reliability.md says what it promises and what its findings mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

type options struct {
	stores   int
	faults   time.Duration
	settle   time.Duration
	workers  int
	seed     uint64
	aim      string
	programs rig.Programs
}

func parse() options {
	var o options
	flag.IntVar(&o.stores, "stores", 40, "how many stores there are")
	flag.DurationVar(&o.faults, "faults", 3*time.Minute, "how long requests and faults go on")
	flag.DurationVar(&o.settle, "settle", 4*time.Minute, "how long everything may take afterwards to come to rest")
	flag.IntVar(&o.workers, "workers", 3, "how many workers there are")
	flag.Uint64Var(&o.seed, "seed", 0, "the seed of requests and faults; 0: one at random")
	flag.StringVar(&o.aim, "aim", "", "aim all faults at one guard: gate, fence, verdict, sweeper, turn or delete; none: no faults")
	flag.StringVar(&o.programs.Services, "bin", "bin", "the folder of ingest and worker")
	flag.StringVar(&o.programs.Devcluster, "devcluster", "bin/devcluster", "the development cluster's program")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64N(1e6) + 1
	}
	return o
}

func main() {
	o := parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	findings, err := o.run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	case findings > 0:
		os.Exit(1)
	}
}

// run breaks and judges one rig. The error is of the rig, not of what it tests.
func (o options) run(ctx context.Context) (findings int, err error) {
	fmt.Printf("chaos: seed %d, %d stores, %d workers, %s of faults\n", o.seed, o.stores, o.workers, o.faults)
	r, err := rig.Up(ctx, o.programs)
	keep := true
	if r != nil {
		defer func() {
			r.Down(keep)
			if keep {
				fmt.Println("the logs are in", r.Dir)
			}
		}()
	}
	if err != nil {
		return 0, err
	}
	for range o.workers {
		if _, err := r.StartWorker(); err != nil {
			return 0, err
		}
	}
	customers := o.customers(r)
	t := newTrouble(r, o, customers)
	o.shake(ctx, customers, t)
	all, err := o.settled(ctx, r, customers, t)
	if err != nil {
		return 0, err
	}
	all = append(all, t.found()...)
	report(os.Stdout, r, customers, t, all)
	findings = len(all) + len(t.shortages())
	keep = findings > 0
	return findings, ctx.Err()
}

// customers share the machine: each asks less often the more there are.
func (o options) customers(r *rig.Rig) []*customer {
	var all []*customer
	for n := range o.stores {
		all = append(all, newCustomer(r, o.seed, n, time.Duration(o.stores)*500*time.Millisecond))
	}
	return all
}

// shake lets customers and faults go on until it is enough.
func (o options) shake(ctx context.Context, customers []*customer, t *trouble) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for _, c := range customers {
		all.Go(func() { c.live(ctx) })
	}
	all.Go(func() { t.make(ctx) })
	t.enough(ctx)
	cancel()
	all.Wait()
}

// settled waits until there is nothing to find, or the time for that is over.
func (o options) settled(ctx context.Context, r *rig.Rig, customers []*customer, t *trouble) ([]model.Finding, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.settle, errSettle)
	defer cancel()
	begun := time.Now()
	if err := t.mend(ctx); err != nil {
		return nil, fmt.Errorf("the rig could not be mended: %w", err)
	}
	fmt.Println("all is well again; waiting for everything to come to rest")
	for _, c := range customers {
		c.conclude(ctx)
	}
	var all []model.Finding
	for {
		found, err := judge(context.WithoutCancel(ctx), r, customers)
		if err == nil {
			all = found
		}
		caught := o.aim != "" && len(t.found()) > 0 // time does not heal what was seen on the way
		if err == nil && (len(all) == 0 || caught) || context.Cause(ctx) == errSettle {
			fmt.Printf("at rest, or given up, after %s\n", time.Since(begun).Round(time.Second))
			return all, err
		}
		if !rig.Sleep(ctx, time.Second) && context.Cause(ctx) != errSettle {
			return nil, context.Cause(ctx)
		}
	}
}

var errSettle = errors.New("the time to come to rest is over")

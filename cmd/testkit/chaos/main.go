// Command chaos injects faults into a whole installation at random, and then checks that every accepted request still led
// to exactly one outcome. docs/reliability.md defines the faults and the findings.
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
	flag.IntVar(&o.stores, "stores", 40, "number of stores")
	flag.DurationVar(&o.faults, "faults", 3*time.Minute, "how long to send requests and inject faults")
	flag.DurationVar(&o.settle, "settle", 4*time.Minute, "how long the installation may take afterwards to become idle")
	flag.IntVar(&o.workers, "workers", 3, "number of workers")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of requests and faults; 0 picks one at random")
	flag.StringVar(&o.aim, "aim", "", "inject only the faults that one guard protects against: lease, fence, outcome, sweeper, claim or delete; none injects no faults")
	flag.StringVar(&o.programs.Services, "bin", "bin", "directory of ingest and worker")
	flag.StringVar(&o.programs.Devcluster, "devcluster", "bin/devcluster", "path of the development cluster's binary")
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

// run tests one installation. An error is about the test rig; what is wrong with the service is a finding.
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
	clients := o.clients(r)
	inj := newInjector(r, o, clients)
	o.inject(ctx, clients, inj)
	all, err := o.settled(ctx, r, clients, inj)
	if err != nil {
		return 0, err
	}
	all = append(all, inj.found()...)
	report(os.Stdout, r, clients, inj, all)
	findings = len(all) + len(inj.gaps())
	keep = findings > 0
	return findings, ctx.Err()
}

// clients share the machine: the more there are, the less often each sends a request.
func (o options) clients(r *rig.Rig) []*client {
	var all []*client
	for n := range o.stores {
		all = append(all, newClient(r, o.seed, n, time.Duration(o.stores)*500*time.Millisecond))
	}
	return all
}

// inject runs clients and faults until the faults have covered enough.
func (o options) inject(ctx context.Context, clients []*client, inj *injector) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { c.live(ctx) })
	}
	all.Go(func() { inj.inject(ctx) })
	inj.awaitCoverage(ctx)
	cancel()
	all.Wait()
}

// settled waits until there are no findings or the time for that is over, and returns the findings that are left.
func (o options) settled(ctx context.Context, r *rig.Rig, clients []*client, inj *injector) ([]model.Finding, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.settle, errSettle)
	defer cancel()
	begun := time.Now()
	if err := inj.repair(ctx); err != nil {
		return nil, fmt.Errorf("the installation could not be repaired: %w", err)
	}
	fmt.Println("all faults have ended; waiting for the installation to become idle")
	for _, c := range clients {
		c.conclude(ctx)
	}
	var all []model.Finding
	for {
		found, err := compare(context.WithoutCancel(ctx), r, clients)
		if err == nil {
			all = found
		}
		caught := o.aim != "" && len(inj.found()) > 0 // what was found during the faults does not go away
		if err == nil && (len(all) == 0 || caught) || context.Cause(ctx) == errSettle {
			fmt.Printf("stopped waiting after %s\n", time.Since(begun).Round(time.Second))
			return all, err
		}
		if !rig.Sleep(ctx, time.Second) && context.Cause(ctx) != errSettle {
			return nil, context.Cause(ctx)
		}
	}
}

var errSettle = errors.New("the time to become idle is over")

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
	"strconv"
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
	clusters int
	creator  int  // new stores of one creator in progress at a time; 0 is no limit
	guest    bool // another installation in the same cluster
	programs rig.Programs
}

func parse() options {
	var o options
	flag.IntVar(&o.stores, "stores", 40, "number of stores")
	flag.DurationVar(&o.faults, "faults", 3*time.Minute, "how long to send requests and inject faults")
	flag.DurationVar(&o.settle, "settle", 4*time.Minute, "how long the installation may take afterwards to become idle")
	flag.IntVar(&o.workers, "workers", 3, "number of workers")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of requests and faults; 0 picks one at random")
	flag.StringVar(&o.aim, "aim", "", "inject only the faults that one guard protects against: lease, fence, outcome, sweeper, claim, delete, identity or rotation; none injects no faults")
	flag.IntVar(&o.clusters, "clusters", 0, "number of clusters; 0 picks one or two by the seed")
	flag.IntVar(&o.creator, "max-per-creator", -1, "new stores of one creator in progress at a time, 0 for no limit; -1 picks by the seed")
	flag.BoolVar(&o.guest, "beside", false, "run another installation in the same cluster, and let each Redis lose its data once nothing is outstanding")
	flag.StringVar(&o.programs.Services, "bin", "bin", "directory of ingest and worker")
	flag.StringVar(&o.programs.Devcluster, "devcluster", "bin/devcluster", "path of the development cluster's binary")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64N(1e6) + 1
	}
	if o.creator < 0 {
		// With fewer slots a request would wait for minutes, and so would the tasks of those that superseded it.
		o.creator = []int{0, o.stores/10 + 1, o.stores / 5}[o.seed%3]
	}
	if o.clusters == 0 {
		o.clusters = 1 + int(o.seed/3%2)
	}
	o.guest = o.guest || o.aim == "identity"
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

// installation is one of those that share the cluster, with the clients that use it.
type installation struct {
	rig     *rig.Rig
	clients []*client
}

// run tests the installations. An error is about the test rig; what is wrong with the service is a finding.
func (o options) run(ctx context.Context) (findings int, err error) {
	fmt.Printf("chaos: seed %d, %d stores, %d workers, %d clusters, %d new stores of a creator at a time (0: no limit), %s of faults\n", o.seed, o.stores, o.workers, o.clusters, o.creator, o.faults)
	r, err := rig.Up(ctx, o.programs, o.clusters, "ORCH_MAX_PER_CREATOR="+strconv.Itoa(o.creator),
		"ORCH_AUDIT_EVERY=15s", "ORCH_AUDIT_RATE=5", "ORCH_DRIFT=repair") // each store is audited all the time
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
	all := []installation{{r, o.clients(r, "s", o.stores)}}
	if o.guest {
		other, err := r.Beside(ctx, "guest")
		defer other.Down(true)
		if err != nil {
			return 0, err
		}
		all = append(all, installation{other, o.clients(other, "g", max(4, o.stores/4))})
	}
	if err := o.startWorkers(all); err != nil {
		return 0, err
	}
	inj := newInjector(r, o, all[0].clients)
	found, err := o.rounds(ctx, all, inj)
	if err != nil {
		return 0, err
	}
	found = append(found, inj.found()...)
	report(os.Stdout, all, inj, found)
	findings = len(found) + len(inj.gaps())
	keep = findings > 0
	return findings, ctx.Err()
}

// startWorkers starts those of the first installation, in which faults are injected, and one of each other.
func (o options) startWorkers(all []installation) error {
	for i, one := range all {
		for n := range o.workers {
			if i > 0 && n > 0 {
				break
			}
			if _, err := one.rig.StartWorker(); err != nil {
				return err
			}
		}
	}
	return nil
}

// clients share the machine: the more there are, the less often each sends a request.
func (o options) clients(r *rig.Rig, prefix string, stores int) []*client {
	var all []*client
	for n := range stores {
		c := newClient(r, o.seed, n, prefix, time.Duration(o.stores)*500*time.Millisecond)
		c.often = o.aim == "rotation" // one in thirty requests may be none in a short run
		all = append(all, c)
	}
	return all
}

// rounds injects faults until the installations have to be correct. With several, each Redis loses its data then, and there is another round.
func (o options) rounds(ctx context.Context, all []installation, inj *injector) ([]model.Finding, error) {
	o.inject(ctx, all, inj)
	found, err := o.settled(ctx, all, inj)
	if err != nil || len(found) > 0 || len(all) == 1 {
		return found, err
	}
	for _, one := range all {
		if found, err := o.awaitSaved(ctx, one); err != nil || len(found) > 0 {
			return found, err
		}
		fmt.Printf("Redis of installation %s loses its data\n", one.rig.Name)
		if err := one.rig.LoseRedis(ctx); err != nil {
			return nil, fmt.Errorf("installation %s: %w", one.rig.Name, err)
		}
	}
	inj.extend(o.faults / 3)
	o.inject(ctx, all, inj)
	return o.settled(ctx, all, inj)
}

// inject runs clients and faults until the faults have covered enough.
func (o options) inject(ctx context.Context, installations []installation, inj *injector) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for _, one := range installations {
		for _, c := range one.clients {
			all.Go(func() { c.live(ctx) })
		}
	}
	all.Go(func() { inj.inject(ctx) })
	inj.awaitCoverage(ctx)
	cancel()
	all.Wait()
}

// settled waits until there are no findings or the time for that is over, and returns the findings that are left.
func (o options) settled(ctx context.Context, installations []installation, inj *injector) ([]model.Finding, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.settle, errSettle)
	defer cancel()
	begun := time.Now()
	if err := inj.repair(ctx); err != nil {
		return nil, fmt.Errorf("the installation could not be repaired: %w", err)
	}
	fmt.Println("all faults have ended; waiting for the installation to become idle")
	for _, one := range installations {
		if crashed := one.rig.Crashed(); len(crashed) > 0 {
			return nil, fmt.Errorf("workers of installation %s exited that were not asked to: %v; see their logs", one.rig.Name, crashed)
		}
	}
	conclude(ctx, installations)
	var all []model.Finding
	for {
		found, err := compareAll(context.WithoutCancel(ctx), installations)
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

func conclude(ctx context.Context, installations []installation) {
	var all sync.WaitGroup
	for _, one := range installations {
		for _, c := range one.clients {
			all.Go(func() { c.conclude(ctx) })
		}
	}
	all.Wait()
}

var errSettle = errors.New("the time to become idle is over")

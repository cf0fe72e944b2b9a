// Command capacity measures what docs/scaling.md counts with: how fast requests are accepted and carried out by one worker
// and by several, what a store costs in Redis, in a worker's memory and at the API server. Without a cluster every step
// is simulated, so that what is measured is the service itself. Figures of one machine compare with each other only.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	stores, clusterStores int
	workers               []int
	bin, devcluster       string
}

func parse() (o options, err error) {
	workers := ""
	flag.IntVar(&o.stores, "stores", 2000, "how many stores to provision for each number of workers, every step simulated; 0: none")
	flag.StringVar(&workers, "workers", "1,2,4", "numbers of workers to compare")
	flag.IntVar(&o.clusterStores, "cluster-stores", 30, "how many stores to provision on the development cluster; 0: none")
	flag.StringVar(&o.bin, "bin", "bin", "directory of ingest and worker")
	flag.StringVar(&o.devcluster, "devcluster", "bin/devcluster", "path of the development cluster's binary")
	flag.Parse()
	for text := range strings.SplitSeq(workers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("--workers %q: %q is not a number of workers", workers, text)
		}
		o.workers = append(o.workers, n)
	}
	return o, nil
}

func main() {
	o, err := parse()
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = o.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) error {
	if o.stores > 0 {
		if err := o.compare(ctx); err != nil {
			return err
		}
	}
	if o.clusterStores == 0 {
		return nil
	}
	fmt.Printf("\n%d stores on a real API server, pods simulated, one worker\n\n", o.clusterStores)
	return o.onCluster(ctx)
}

// compare prints a line for each number of workers.
func (o options) compare(ctx context.Context) error {
	fmt.Printf("%d stores each, every step simulated\n\n", o.stores)
	fmt.Println("workers  accepted/s  READY/s  Redis: B/store  commands/store  worker: MiB idle  MiB at most")
	for _, n := range o.workers {
		f, err := o.simulated(ctx, n)
		if err != nil {
			return fmt.Errorf("with %d workers: %w", n, err)
		}
		fmt.Printf("%7d  %10.0f  %7.0f  %14.0f  %14.0f  %16.0f  %11.0f\n", n, f.accepted, f.ready, f.bytes, f.commands, f.idle, f.most)
	}
	return nil
}

// figures are of one number of workers.
type figures struct {
	accepted, ready float64 // stores a second
	bytes, commands float64 // of Redis, for a store that is READY with all callbacks delivered
	idle, most      float64 // MiB of the workers' resident memory, all together
}

func (o options) simulated(ctx context.Context, workers int) (f figures, err error) {
	s, err := start(ctx, o, "ORCH_MOCK=1")
	defer s.stop()
	if err != nil {
		return f, err
	}
	if err := s.startWorkers(workers); err != nil {
		return f, err
	}
	if err := s.submit(ctx, "warm-", workers*10); err != nil { // connections, scripts, code
		return f, err
	}
	before, err := s.redisCost(ctx)
	if err != nil {
		return f, err
	}
	f.idle = s.resident("VmRSS")
	begun := time.Now()
	if err := s.post(ctx, "s-", o.stores); err != nil {
		return f, err
	}
	f.accepted = float64(o.stores) / time.Since(begun).Seconds()
	if err := s.awaitReady(ctx, "s-", o.stores); err != nil {
		return f, err
	}
	f.ready = float64(o.stores) / time.Since(begun).Seconds()
	f.most = s.resident("VmHWM")
	after, err := s.redisCost(ctx)
	f.bytes = (after.bytes - before.bytes) / float64(o.stores)
	f.commands = (after.commands - before.commands) / float64(o.stores)
	return f, err
}

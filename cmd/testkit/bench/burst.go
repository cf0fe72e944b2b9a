package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/chaos/rig"
)

// idleTime is how long the cluster is looked at while nothing is asked of it, to know what it does by itself.
const idleTime = 5 * time.Second

// The ways, as the table calls them.
const (
	wayLimit = "limit"
	wayOurs  = "ours"
	wayHelm  = "helm"
)

// way is one way to make stores on a fresh cluster.
type way interface {
	// prepare starts what makes the stores, and has it make two.
	prepare(ctx context.Context, c *rig.Cluster) error
	// burst makes n stores, which all begin at once, and returns the seconds from there to the readiness of each.
	burst(ctx context.Context, n int) ([]float64, error)
	// counters are what was used since the preparation began.
	counters(ctx context.Context) (counters, error)
	stop()
}

// counters are what a way has used. What it does not know, or does not have, is nil or NaN.
type counters struct {
	processes     map[string]usage
	sent          figures.Counts // requests to the API server, such as "GET secrets"
	redisBytes    float64
	redisCommands float64
}

// namedWay is a way that each round takes anew.
type namedWay struct {
	name string
	make func() way
}

// ways are those that this machine can go. Helm's is left out where its programs are missing.
func (b *bench) ways() []namedWay {
	ways := []namedWay{
		{wayLimit, func() way { return &limitWay{bench: b} }},
		{wayOurs, func() way { return &ourWay{bench: b} }},
	}
	if b.short {
		return ways
	}
	programs, err := b.helmPrograms()
	if err != nil {
		b.note("LEFT OUT: the comparison with Helm's command line: %v\n", err)
		return ways
	}
	return append(ways, namedWay{wayHelm, func() way { return &helmWay{bench: b, programs: programs} }})
}

// burst has the ways take turns, each on a cluster of its own.
func (b *bench) burst(ctx context.Context) error {
	ways := b.ways()
	var names []string
	for _, w := range ways {
		names = append(names, w.name)
	}
	b.note("%d stores at once, pods simulated and ready after %s, %d rounds; medians\n", b.stores, b.delay, b.rounds)
	table := figures.NewTable(names...)
	for round := range b.rounds {
		for _, w := range ways {
			rows, err := b.measure(ctx, w.make())
			if err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, w.name, err)
			}
			table.Add(w.name, rows)
			b.note("round %d, %s: %s stores/s, p50 %s s, p95 %s s, %s s of CPU for a store; %s %% of the machine was busy with other things", round+1, w.name,
				value(rows, rowRate), value(rows, rowP50), value(rows, rowP95), value(rows, rowCPU), value(rows, rowOthers))
		}
	}
	b.note("")
	table.Write(b.out)
	b.bounds = append(b.bounds, b.burstBounds(table)...)
	return nil
}

func value(rows []figures.Row, name string) string {
	for _, row := range rows {
		if row.Name == name {
			return figures.Number(row.Value, row.Digits)
		}
	}
	return figures.Number(math.NaN(), 0)
}

// measure makes a burst of stores on a cluster of its own.
func (b *bench) measure(ctx context.Context, w way) ([]figures.Row, error) {
	cluster, end, err := b.freshCluster(ctx, b.delay)
	defer end()
	if err != nil {
		return nil, err
	}
	defer w.stop()
	if err := w.prepare(ctx, cluster); err != nil {
		return nil, err
	}
	var at [3]reading // before the idle time, after it, after the burst
	var took []float64
	for i := range at {
		switch i {
		case 1:
			rig.Sleep(ctx, idleTime)
		case 2:
			if took, err = w.burst(ctx, b.stores); err != nil {
				return nil, err
			}
		}
		if at[i], err = read(ctx, cluster, w); err != nil {
			return nil, err
		}
	}
	return rowsOf(took, at), nil
}

// reading is what the cluster and a way have counted until some time.
type reading struct {
	at       time.Time
	requests figures.Counts // of the API server, by verb
	storage  float64        // etcd's database in bytes
	control  figures.Counts // seconds of CPU by component
	machine  float64        // seconds of CPU of all that runs
	own      usage          // of the bench itself
	counters
}

func read(ctx context.Context, c *rig.Cluster, w way) (r reading, err error) {
	metrics, err := c.Kube.Text(ctx, "/metrics")
	if err != nil {
		return r, fmt.Errorf("read the metrics of the API server: %w", err)
	}
	r = reading{requests: figures.Requests(metrics), storage: figures.Sum(metrics, "apiserver_storage_size_bytes")}
	if r.control, err = controlPlane(c); err != nil {
		return r, err
	}
	r.counters, err = w.counters(ctx)
	r.at, r.machine, r.own = time.Now(), machineCPU(), ownUsage()
	return r, err
}

// processors is by how many the machine computes.
var processors = float64(runtime.NumCPU())

// Command bench measures how fast stores are made and what they cost: a burst of them beside the least that a cluster allows and beside Helm's command
// line, and one part of the service at a time. docs/performance.md and docs/scaling.md count with its figures. Those of one machine compare with each
// other only.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orchestrator/cmd/testkit/bench/bare"
	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/bench/limit"
)

// bench is one call of the command.
type bench struct {
	stores, rounds int
	workers        []int
	mock, waiting  int
	rest, survey   int
	delay          string
	patience       time.Duration
	bin            string
	short          bool
	sections       []section

	out    io.Writer
	bounds []figures.Bound
}

// section is a part of the bench that can be run alone.
type section struct {
	name string
	run  func(*bench, context.Context) error
}

var allSections = []section{
	{"burst", (*bench).burst}, {"idle", (*bench).idle}, {"ingest", (*bench).ingest}, {"waiting", (*bench).wait}, {"rest", (*bench).atRest},
	{"survey", (*bench).surveyed}, {"deletes", (*bench).deletes}, {"callbacks", (*bench).callbacks}, {"workers", (*bench).compareWorkers},
}

func parse(args []string) (*bench, error) {
	b := &bench{out: os.Stdout}
	var workers, only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&b.stores, "stores", 60, "how many stores a burst makes")
	flags.IntVar(&b.rounds, "rounds", 3, "how often the ways take turns")
	flags.IntVar(&b.mock, "mock-stores", 2000, "how many stores to make where every step is simulated")
	flags.StringVar(&workers, "workers", "1,2,4", "numbers of workers to compare")
	flags.IntVar(&b.waiting, "waiting", 1000, "how many stores wait for their pods")
	flags.IntVar(&b.rest, "rest", 10000, "how many stores are at rest")
	flags.IntVar(&b.survey, "survey", 10000, "how many stores a worker finds in the cluster after a loss of Redis")
	flags.StringVar(&b.delay, "ready-delay", "500ms", "how long simulated pods take to become ready in a burst")
	flags.DurationVar(&b.patience, "patience", 15*time.Minute, "how long the stores of one measurement may take")
	flags.StringVar(&b.bin, "bin", "bin", "directory of ingest, worker, devcluster, helm and kubectl; the last two are looked for in PATH too")
	flags.BoolVar(&b.short, "short", false, "a burst of 20 stores without Helm, and fail where a figure is far from what it was")
	flags.StringVar(&only, "only", "", "sections to run, with commas between; empty: all. They are "+strings.Join(sectionNames(), ", "))
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if b.short {
		b.stores, b.rounds, only = shortStores, shortRounds, "burst"
	}
	return b, b.choose(only, workers)
}

func sectionNames() (names []string) {
	for _, s := range allSections {
		names = append(names, s.name)
	}
	return names
}

// choose sets the sections and the numbers of workers.
func (b *bench) choose(only, workers string) error {
	if b.stores < 1 || b.rounds < 1 {
		return fmt.Errorf("--stores %d and --rounds %d must be at least 1", b.stores, b.rounds)
	}
	b.sections = allSections
	if only != "" {
		b.sections = nil
		for name := range strings.SplitSeq(only, ",") {
			i := slices.Index(sectionNames(), name)
			if i < 0 {
				return fmt.Errorf("--only %q: %q is none of %s", only, name, strings.Join(sectionNames(), ", "))
			}
			b.sections = append(b.sections, allSections[i])
		}
	}
	for text := range strings.SplitSeq(workers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("--workers %q: %q is not a number of workers", workers, text)
		}
		b.workers = append(b.workers, n)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run starts one of the processes that the bench starts from itself, so that what they use is their own, or the bench.
func run(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && args[0] == "limit":
		return limit.Main(ctx, args[1:], os.Stdin, os.Stdout)
	case len(args) > 0 && args[0] == "enqueue":
		return bare.Main(ctx, args[1:], os.Stdout)
	}
	b, err := parse(args)
	if err != nil {
		return err
	}
	return b.run(ctx)
}

func (b *bench) run(ctx context.Context) error {
	for _, s := range b.sections {
		fmt.Fprintf(b.out, "\n## %s\n\n", s.name)
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if len(b.bounds) == 0 {
		return nil
	}
	fmt.Fprint(b.out, "\n## wanted\n\n")
	if met := figures.WriteBounds(b.out, b.bounds); !met && b.short {
		return fmt.Errorf("a figure is far from what it was; if it is meant to be, change shortBounds (docs/performance.md)")
	}
	return nil
}

// note prints a line about what is being done.
func (b *bench) note(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"orchestrator/deploy/devcluster/internal/cluster"
)

const mostNodes = 1000

func parseUp(args []string) (cluster.Options, error) {
	options := cluster.Options{ReadyMax: 2 * time.Second}
	flags := newFlags("up")
	flags.StringVar(&options.Dir, "dir", "", "")
	flags.IntVar(&options.NodeCount, "node-count", 1, "")
	flags.StringVar(&options.Kubernetes, "kubernetes", "", "")
	flags.BoolVar(&options.Quiet, "quiet", false, "")
	flags.Func("ready-delay", "", func(text string) (err error) {
		options.ReadyMin, options.ReadyMax, err = parseDelay(text)
		return err
	})
	if err := parse(flags, args); err != nil {
		return options, err
	}
	if options.Dir == "" {
		return options, usageError{errors.New("no folder given: say --dir DIR")}
	}
	if options.NodeCount < 1 || options.NodeCount > mostNodes {
		return options, usageError{fmt.Errorf("--node-count is %d: say 1 to %d", options.NodeCount, mostNodes)}
	}
	return options, nil
}

// parseDelay reads "500ms..2s", or "1s" for a delay that is always the same.
func parseDelay(text string) (shortest, longest time.Duration, err error) {
	first, last, isRange := strings.Cut(text, "..")
	if !isRange {
		last = first
	}
	if shortest, err = time.ParseDuration(first); err != nil {
		return 0, 0, err
	}
	if longest, err = time.ParseDuration(last); err != nil {
		return 0, 0, err
	}
	if shortest < 0 || longest < shortest {
		return 0, 0, errors.New("it goes from the shorter to the longer, as in 500ms..2s")
	}
	return shortest, longest, nil
}

// newFlags returns a flag set that leaves all talking to Main.
func newFlags(command string) *flag.FlagSet {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return flags
}

func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("%s takes no argument %q", flags.Name(), flags.Arg(0))
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}

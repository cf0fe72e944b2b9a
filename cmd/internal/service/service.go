// Package service is what the long-running binaries have in common: configuration from the environment, logs, signals
// and the admin address.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Configuration is the environment of one binary, parsed by [Main] through the env and help tags of its fields.
type Configuration interface {
	// Validate reports everything that is wrong with values that parsed.
	Validate() error
	// LogSettings returns how to log.
	LogSettings() Log
}

// Main runs a binary: --help prints about and every variable, --version the version, and probe URL asks a running one how
// it is. Otherwise it parses C, reports all
// mistakes at once, and calls run with a context that the first SIGINT or SIGTERM ends; a second one ends the process
// at once. It returns the exit code: 0, 1 when run failed, 2 for a mistake in the configuration.
func Main[C Configuration](name, about string, run func(context.Context, C, *slog.Logger) error) int {
	if len(os.Args) > 1 {
		return mainWith[C](name, about, os.Args[1:])
	}
	config, err := parse[C]()
	if err != nil {
		complain(os.Stderr, name, err)
		return 2
	}
	log := config.LogSettings().logger(os.Stdout).With("service", name)
	adopt(log)
	ctx, stop := Signals()
	defer stop()
	log.Info("starting", "version", Version())
	if err := run(ctx, config, log); err != nil && !errors.Is(err, context.Canceled) {
		log.Error("stopped", "error", err)
		return 1
	}
	log.Info("stopped")
	return 0
}

// mainWith does what arguments ask for, instead of the binary's work.
func mainWith[C Configuration](name, about string, args []string) int {
	switch arg := args[0]; arg {
	case "-h", "-help", "--help", "help":
		help[C](os.Stdout, name, about)
		return 0
	case "-version", "--version", "version":
		fmt.Println(name, Version())
		return 0
	case "probe":
		if len(args) != 2 {
			fmt.Fprintf(os.Stderr, "%s: probe takes one URL, such as http://127.0.0.1:9001/readyz\n", name)
			return 2
		}
		if err := Probe(context.Background(), args[1]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			return 1
		}
		return 0
	default:
		fmt.Fprintf(os.Stderr, "%s: unknown argument %q; it is configured by its environment, see --help\n", name, arg)
		return 2
	}
}

func complain(w io.Writer, name string, err error) {
	fmt.Fprintf(w, "%s: the configuration has mistakes; --help explains every variable\n", name)
	for _, e := range flatten(err) {
		fmt.Fprintf(w, "  - %s\n", e)
	}
}

// flatten lists what errors.Join and the env parser have put together.
func flatten(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range many.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

// Signals returns a context that the first SIGINT or SIGTERM ends. After it the signals have their usual effect again:
// a second one ends the process at once.
func Signals() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals) // before the context ends: whoever has seen that may rely on the second signal
		cancel()
	}()
	return ctx, cancel
}

// version is set when the binary is linked where the build knows its version and the source has no history: an image.
var version string

// Version is what the binary was built from: a tag, or the revision.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}

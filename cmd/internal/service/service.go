// Package service is shared by the long-running binaries: configuration from the environment, logs, signals, the admin
// address, and the arguments --help, --version and probe.
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

// Configuration is the configuration of one binary. [Main] parses it from the environment by the env tags of its fields and
// explains it by their help tags.
type Configuration interface {
	// Validate reports everything that is wrong with values that could be parsed.
	Validate() error
	// LogSettings returns the configuration of the log.
	LogSettings() Log
}

// Command is something that a binary does besides running: NAME ARGUMENTS, with the same configuration.
type Command[C Configuration] struct {
	Name, Help string // Help is one line
	// Run prints to out. [ErrUsage] in its error means that the arguments are wrong.
	Run func(ctx context.Context, config C, args []string, out io.Writer, log *slog.Logger) error
}

// ErrUsage says that the arguments of a command are wrong.
var ErrUsage = errors.New("wrong arguments")

// ExitCode ends a command that has printed its result with this exit code.
type ExitCode int

func (e ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (c Command[C]) main(name string, args []string) int {
	config, err := parse[C]()
	if err != nil {
		printMistakes(os.Stderr, name, err)
		return 2
	}
	ctx, stop := Signals()
	defer stop()
	log := config.LogSettings().logger(os.Stderr).With("service", name)
	setDefaultLoggers(log)
	err = c.Run(ctx, config, args, os.Stdout, log)
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[ExitCode](err); ok {
		return int(code)
	}
	fmt.Fprintf(os.Stderr, "%s %s: %v\n", name, c.Name, err)
	if errors.Is(err, ErrUsage) {
		return 2
	}
	return 1
}

// Main runs a binary. --help prints about and every variable, --version prints the version, and probe URL checks a running
// service. Without arguments Main parses C, reports all mistakes at once, and calls run with a context that the first SIGINT
// or SIGTERM ends; a second one ends the process at once. It returns the exit code: 0, 1 if run failed, 2 for a mistake in
// the configuration or the arguments.
func Main[C Configuration](name, about string, run func(context.Context, C, *slog.Logger) error, commands ...Command[C]) int {
	if len(os.Args) > 1 {
		return runArguments(name, about, os.Args[1:], commands)
	}
	config, err := parse[C]()
	if err != nil {
		printMistakes(os.Stderr, name, err)
		return 2
	}
	log := config.LogSettings().logger(os.Stdout).With("service", name)
	setDefaultLoggers(log)
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

// runArguments handles --help, --version, probe and the commands.
func runArguments[C Configuration](name, about string, args []string, commands []Command[C]) int {
	for _, c := range commands {
		if args[0] == c.Name {
			return c.main(name, args[1:])
		}
	}
	switch arg := args[0]; arg {
	case "-h", "-help", "--help", "help":
		writeHelp[C](os.Stdout, name, about)
		for _, c := range commands {
			fmt.Printf("\n%s %s: %s\n", name, c.Name, c.Help)
		}
		return 0
	case "-version", "--version", "version":
		fmt.Println(name, Version())
		return 0
	case "probe":
		if len(args) != 2 {
			fmt.Fprintf(os.Stderr, "%s: probe takes exactly one URL, such as http://127.0.0.1:9001/readyz\n", name)
			return 2
		}
		if err := Probe(context.Background(), args[1]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			return 1
		}
		return 0
	default:
		fmt.Fprintf(os.Stderr, "%s: unknown argument %q; it is configured by environment variables, see --help\n", name, arg)
		return 2
	}
}

func printMistakes(w io.Writer, name string, err error) {
	fmt.Fprintf(w, "%s: the configuration is invalid; --help explains every variable\n", name)
	for _, e := range flatten(err) {
		fmt.Fprintf(w, "  - %s\n", e)
	}
}

// flatten lists the errors that errors.Join and the env parser have combined.
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

// Signals returns a context that the first SIGINT or SIGTERM ends. After that the signals have their default effect again: a
// second one ends the process at once.
func Signals() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals) // before the context ends, so that a second signal works as soon as the end is visible
		cancel()
	}()
	return ctx, cancel
}

// version is set by the linker where the source has no history, as in the build of an image.
var version string

// Version returns the tag or the revision that the binary was built from.
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

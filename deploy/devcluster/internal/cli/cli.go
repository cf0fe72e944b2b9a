// Package cli is the command line of devcluster.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"orchestrator/deploy/devcluster/internal/cluster"
	"orchestrator/deploy/devcluster/internal/state"
)

const help = `devcluster runs a Kubernetes control plane on 127.0.0.1, for development and tests.

  devcluster up --dir DIR [--ready-delay MIN..MAX] [--node-count N] [--kubernetes PROGRAM] [--quiet]
  devcluster down --dir DIR
  devcluster clean --dir DIR

up     runs etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok and a stand-in shop until SIGINT or SIGTERM.
       When the cluster is usable, one line goes to standard output: ready KUBECONFIG=DIR/kubeconfig
       Everything else goes to standard error. State stays in DIR, so that the next up goes on from there.
       A process that dies is started again after a second; the fifth death within a minute ends everything.
       A second signal kills at once.
down   stops the up of that DIR, and returns when it has ended.
clean  removes the state in DIR. Nothing may run there.

  --dir DIR               the cluster's folder; made if it is missing, readable by its owner alone
  --ready-delay MIN..MAX  how long a simulated pod takes to become ready, at random between the two (default 0s..2s)
  --node-count N          how many simulated nodes there are: kwok-0, kwok-1, … (default 1)
  --kubernetes PROGRAM    kube-apiserver, kube-controller-manager and kube-scheduler of another version, in one program that is each
                          of them by the name that it is called by
  --quiet                 say nothing of progress, only what goes wrong

In DIR: kubeconfig (administrator), ports.json, shop-admin (URL that makes shops misbehave), logs/*.log, run/*.pid.
What is real, what is simulated and what pods' annotations do: README.md beside the source of this program.
`

// usageError is a wrong command line: exit code 2.
type usageError struct{ error }

// Main runs the command and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	err := run(args, stdout, stderr)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "devcluster: %v (devcluster --help explains all)\n", err)
		return 2
	default:
		fmt.Fprintf(stderr, "devcluster: %v\n", err)
		return 1
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return flag.ErrHelp
	}
	switch args[0] {
	case "up":
		return up(args[1:], stdout, stderr)
	case "down":
		return down(args[1:], stderr)
	case "clean":
		return clean(args[1:])
	case "help", "-h", "-help", "--help":
		return flag.ErrHelp
	default:
		return usageError{fmt.Errorf("there is no command %q: say up, down or clean", args[0])}
	}
}

func up(args []string, stdout, stderr io.Writer) error {
	options, err := parseUp(args)
	if err != nil {
		return err
	}
	options.Out, options.Log = stdout, stderr
	// Not os.Args[0], which may be relative or a link that changes while the cluster runs.
	if options.Exe, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	ctx, killNow, release := onSignals()
	defer release()
	return cluster.Up(ctx, options, killNow)
}

// onSignals returns a context that the first SIGINT or SIGTERM ends and a channel that the second closes.
func onSignals() (context.Context, <-chan struct{}, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, kill := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		close(kill)
	}()
	return ctx, kill, func() { signal.Stop(signals); cancel() }
}

// stopPatience is longer than a stop in good order takes.
const stopPatience = 15 * time.Second

func down(args []string, stderr io.Writer) error {
	dir, err := parseDir("down", args)
	if err != nil {
		return err
	}
	stopped, err := dir.StopRunning(stopPatience)
	if err == nil && !stopped {
		fmt.Fprintf(stderr, "devcluster: nothing runs in %s\n", dir)
	}
	return err
}

func clean(args []string) error {
	dir, err := parseDir("clean", args)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir.Path("lock")); errors.Is(err, os.ErrNotExist) {
		return nil // never used, or clean already
	}
	lock, err := dir.Acquire()
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := dir.ReapStale(); err != nil {
		return err
	}
	return dir.Remove()
}

func parseDir(command string, args []string) (state.Dir, error) {
	flags := newFlags(command)
	path := flags.String("dir", "", "")
	if err := parse(flags, args); err != nil {
		return "", err
	}
	dir, err := state.Resolve(*path)
	if err != nil {
		return "", usageError{err}
	}
	return dir, nil
}

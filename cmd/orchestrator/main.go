// Command orchestrator is the operator's command line, and the whole service on one machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/cmd/internal/service"
)

// about is the help of the bare command. It takes the name of an engine.
const about = `orchestrator creates and deletes online stores on Kubernetes.

To try it, use two terminals:

  orchestrator up                                starts the whole service on this machine, with a demo store
  orchestrator submit my-shop --engine %-9s creates another store

The commands for stores call ingest over HTTP. They find it by ORCHESTRATOR_URL and ORCHESTRATOR_TOKEN. If ORCHESTRATOR_URL
is not set, they read both from the folder --state, where ` + "`orchestrator up`" + ` writes them.

Exit codes, of every command; its own help says what success is:

  0    success: what was asked for is printed, accepted or, with --watch, done
  1    failure: the service, the network or a file; of many stores, one at least was refused; with --watch the store has failed
  2    wrong command line; nothing was requested
  3    apply --dry-run: something differs
  130  interrupted by Ctrl-C; what was accepted is carried out all the same`

// errFailed ends a command with exit code 1 after it has printed its own messages.
var errFailed = errors.New("failed")

// errDiffers ends a comparison that has found something, with exit code 3.
var errDiffers = errors.New("something differs")

// usageError is a mistake on the command line; its exit code is 2.
type usageError struct{ error }

func main() {
	ctx, stop := service.Signals()
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command line and returns the exit code, as about explains it.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	command, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
	case errors.Is(err, errDiffers):
		return 3
	case errors.Is(err, context.Canceled):
		return 130 // what a shell reports after Ctrl-C
	default:
		fmt.Fprintln(errOut, "orchestrator:", strings.TrimSpace(advised(err).Error()))
	}
	if _, wrong := errors.AsType[usageError](err); wrong {
		fmt.Fprintf(errOut, "See `%s --help`.\n", command.CommandPath())
		return 2
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "orchestrator", Short: "Creates and deletes online stores on Kubernetes", Long: fmt.Sprintf(about, otherEngine()),
		Version: service.Version(), SilenceErrors: true, SilenceUsage: true,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().String("state", ".state", "folder with the state of the service on this machine")
	root.AddGroup(&cobra.Group{ID: "run", Title: "On this machine:"}, &cobra.Group{ID: "stores", Title: "Stores:"})
	root.AddCommand(withGroup("run", upCommand(), demoCommand(), backendCommand())...)
	root.AddCommand(withGroup("stores", submitCommand(), applyCommand(), editCommand(), retryCommand(), cancelCommand(), suspendCommand(), resumeCommand(), rotateCommand(), backupCommand(), backupsCommand(), restoreCommand(), protectCommand(), unprotectCommand(), summaryCommand(), listCommand(), showCommand(), watchCommand(), deleteCommand(), deadLettersCommand(), replayCommand(), orphansCommand(), reclaimCommand(), clustersCommand(), holdsCommand(), findingsCommand(), rolloutCommand(), quotaCommand(), tokenCommand())...)
	completeStores(root)
	return root
}

func withGroup(group string, commands ...*cobra.Command) []*cobra.Command {
	for _, c := range commands {
		c.GroupID = group
	}
	return commands
}

// usageArgs turns the error of an argument check into a usageError.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// oneStoreID checks the arguments of a command that takes one store.
func oneStoreID(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%s takes exactly one store id", c.CommandPath())}
	}
	return nil
}

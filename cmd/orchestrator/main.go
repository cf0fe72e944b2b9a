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

// about is the text of the bare command. It takes the name of an engine.
const about = `orchestrator makes online stores exist on Kubernetes, and be gone again.

To try it, two terminals are enough:

  orchestrator up                                starts everything on this machine, and a demo store
  orchestrator submit my-shop --engine %-9s asks for another one

The commands for stores speak HTTP to ingest. They find it by ORCHESTRATOR_URL and ORCHESTRATOR_TOKEN, and without those
by what ` + "`orchestrator up`" + ` has left in the folder --state.`

// errFailed ends with exit code 1 a command that has said everything already.
var errFailed = errors.New("failed")

// usageError is a wrong command line: exit code 2.
type usageError struct{ error }

func main() {
	ctx, stop := service.Signals()
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0, 1 for what failed, 2 for a wrong command line, 130 after Ctrl-C.
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
	case errors.Is(err, context.Canceled):
		return 130 // as a shell says it of Ctrl-C
	default:
		fmt.Fprintln(errOut, "orchestrator:", strings.TrimSpace(err.Error()))
	}
	if _, wrong := errors.AsType[usageError](err); wrong {
		fmt.Fprintf(errOut, "See `%s --help`.\n", command.CommandPath())
		return 2
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "orchestrator", Short: "Makes online stores exist on Kubernetes", Long: fmt.Sprintf(about, otherEngine()),
		Version: service.Version(), SilenceErrors: true, SilenceUsage: true,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().String("state", ".state", "folder of the service that runs on this machine")
	root.AddGroup(&cobra.Group{ID: "run", Title: "On this machine:"}, &cobra.Group{ID: "stores", Title: "Stores:"})
	root.AddCommand(in("run", upCommand(), demoCommand(), backendCommand())...)
	root.AddCommand(in("stores", submitCommand(), listCommand(), showCommand(), watchCommand(), deleteCommand(), deadCommand(), replayCommand())...)
	return root
}

func in(group string, commands ...*cobra.Command) []*cobra.Command {
	for _, c := range commands {
		c.GroupID = group
	}
	return commands
}

// usage makes what a check of arguments finds an error of the command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// storeID is the check of commands that take one store.
func storeID(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%s takes the id of one store", c.CommandPath())}
	}
	return nil
}

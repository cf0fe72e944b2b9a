package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/internal/workerapp"
	"orchestrator/provision"
)

const checkHelp = `check [--write] [-o json]
  looks at Redis, the charts with this installation's values, the clusters and the backend, and says what to do before the first customer comes;
  with --write it makes a namespace in each cluster, has the API server take a store of each engine there without keeping it, and removes it again;
  exit code 0: all is well, 1: stores would fail, 2: there are warnings only`

// check prints what would make the first store fail.
func check(ctx context.Context, c config, args []string, out io.Writer, log *slog.Logger) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	format := flags.String("o", "text", "text or json")
	write := flags.Bool("write", false, "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || (*format != "text" && *format != "json") {
		return errors.Join(service.ErrUsage, err, errors.New(checkHelp))
	}
	all := workerapp.Preflight(ctx, c.Common, c.Work, *write, log)
	if *format == "json" {
		encoder := json.NewEncoder(out)
		for _, one := range all {
			if err := encoder.Encode(one); err != nil {
				return err
			}
		}
	} else {
		printChecks(out, all)
	}
	return verdict(all)
}

// printChecks prints a line for each check, and its remedy below it.
func printChecks(out io.Writer, all []provision.Check) {
	width := 0
	for _, one := range all {
		width = max(width, len(one.Subject))
	}
	for _, one := range all {
		fmt.Fprintf(out, "%-7s  %-*s  %s\n", one.Result, width, one.Subject, one.Detail)
		if one.Remedy != "" {
			fmt.Fprintf(out, "%s  → %s\n", strings.Repeat(" ", 9+width), one.Remedy)
		}
	}
}

// verdict is the exit code of the worst check.
func verdict(all []provision.Check) error {
	var code error
	for _, one := range all {
		switch one.Result {
		case provision.CheckFailed:
			return service.ExitCode(1)
		case provision.CheckWarning:
			code = service.ExitCode(2)
		case provision.CheckOK, provision.CheckUnknown:
		}
	}
	return code
}

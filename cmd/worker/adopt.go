package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/internal/workerapp"
	"orchestrator/provision"
	"orchestrator/provision/cluster"
)

const adoptHelp = `adopt --from NAME | --unlabelled [--store ID] [--yes]
  takes over stores of an installation that is gone, or that have no name of one; it shows them, and changes them with --yes`

// adopt takes over stores of other installations. The next reconciliation, within ten minutes, puts them on record.
func adopt(ctx context.Context, c config, args []string, out io.Writer, log *slog.Logger) error {
	flags := flag.NewFlagSet("adopt", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	from := flags.String("from", "", "the installation whose stores are taken over")
	unlabelled := flags.Bool("unlabelled", false, "take over stores of no installation")
	store := flags.String("store", "", "only this one")
	yes := flags.Bool("yes", false, "do it")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || (*from == "") != *unlabelled {
		return errors.Join(service.ErrUsage, err, errors.New(adoptHelp))
	}
	clusters, stop, err := workerapp.ConnectStates(c.Common, c.Work, log)
	if err != nil {
		return err
	}
	defer stop()
	wanted := func(s cluster.ForeignStore) bool {
		return s.Installation == *from && (*store == "" || s.StoreID == *store)
	}
	found, failed := 0, error(nil)
	for _, one := range clusters {
		n, err := adoptIn(ctx, one, wanted, *yes, out, log)
		found, failed = found+n, errors.Join(failed, err)
	}
	switch {
	case failed != nil:
		return failed
	case found == 0:
		fmt.Fprintln(out, "There is no such store.")
	case *yes:
		fmt.Fprintf(out, "%d stores were taken over; they are on record within ten minutes.\n", found)
	default:
		fmt.Fprintf(out, "%d stores would be taken over. If no other installation looks after them any more, repeat the command with --yes.\n", found)
	}
	return nil
}

func adoptIn(ctx context.Context, one workerapp.ClusterState, wanted func(cluster.ForeignStore) bool, yes bool, out io.Writer, log *slog.Logger) (int, error) {
	stores, err := one.State.ListForeign(ctx)
	if err != nil {
		return 0, err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer table.Flush()
	found, failed := 0, error(nil)
	for _, s := range stores {
		if !wanted(s) {
			continue
		}
		if found++; yes {
			err := one.State.Adopt(ctx, s)
			provision.AuditEvent{Action: "store.adopt", Target: s.StoreID, Accepted: err == nil}.Log(ctx, log)
			failed = errors.Join(failed, err)
		}
		fmt.Fprintf(table, "%s\t%s\tnamespace %s\t%s\n", one.Name, s.StoreID, s.Namespace, s.Host)
	}
	return found, failed
}

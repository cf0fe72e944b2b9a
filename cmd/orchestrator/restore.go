package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func restoreCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "restore ID", Short: "Make a store what it was when a backup of it began",
		Long: `restore puts a store's database, files and credentials back to a backup: the last good one, or with --backup another of orchestrator backups ID. What was
sold, written and uploaded since is lost. It shows the backup and asks.

All of the shop but its database is stopped meanwhile, and shoppers see 503. Then it starts, is looked at, and the backend is told READY with the password
that the store had when the backup began; with --new-password another one is made then. Settings, host and edition stay those of the newest request. A
store that is suspended is left alone: resume it first.

A run that ends in between is gone on with by the next one, so after FAILED: orchestrator retry ID. One that was refused (code conflict) has touched
nothing and is forgotten: mend what it names, and ask again.

Exit code: 0 once the request is accepted; with --watch 0 for READY, 1 for FAILED.`,
		Example: `  orchestrator restore my-shop --watch
  orchestrator restore my-shop --backup 7d3c8f0e-52a1-4a3e-9f0b-6f1f0c4f7a11 --new-password`,
		Args: oneStoreID, RunE: restore,
	}
	c.Flags().String("backup", "", "run of the backup, as orchestrator backups ID lists it; without it, the last good one")
	_ = c.RegisterFlagCompletionFunc("backup", completeRuns)
	c.Flags().Bool("new-password", false, "give the store another password and other REST keys once the shop runs again")
	c.Flags().BoolP("watch", "w", false, "print the steps and wait for READY or FAILED")
	c.Flags().Bool("yes", false, "do not ask")
	outputFlag(c)
	return c
}

// restore asks for the backup that it has shown, of the store as it was read: a backup that is made meanwhile is another one.
func restore(c *cobra.Command, args []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	s, err := client.Store(c.Context(), args[0])
	if err != nil {
		return err
	}
	run, _ := c.Flags().GetString("backup")
	b, err := backupOf(s, run)
	if err != nil {
		return err
	}
	if !structured(c) {
		printLines(c.OutOrStdout(), view.Backups([]provision.Backup{b}, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
	}
	if err := confirmWord(c, s.StoreID, question{
		without: fmt.Sprintf("store %s would lose what was sold and written in the last %s; add --yes to restore it", s.StoreID, view.Duration(time.Since(b.At))),
		ask:     fmt.Sprintf("Restore %s? What was sold and written in the last %s is lost.", s.StoreID, view.Duration(time.Since(b.At))), no: "nothing was restored",
	}); err != nil {
		return err
	}
	anew, _ := c.Flags().GetBool("new-password")
	var accepted api.Accepted
	if err := client.Change(c.Context(), s.StoreID, s.Generation, api.Restore, provision.RestoreRequest{Backup: b.Run, NewPassword: anew}, &accepted); err != nil {
		return err
	}
	return reportAccepted(c, client, accepted)
}

// backupOf is the backup of a run; "" is the last good one.
func backupOf(s provision.State, run string) (provision.Backup, error) {
	all := s.KnownBackups()
	i := slices.IndexFunc(all, func(b provision.Backup) bool { return run == "" || b.Run == run })
	switch {
	case len(all) == 0:
		return provision.Backup{}, fmt.Errorf("no backup of store %s is known, so that there is nothing to restore", s.StoreID)
	case i < 0:
		return provision.Backup{}, fmt.Errorf("store %s has no backup %q; those it has are in: orchestrator backups %s", s.StoreID, run, s.StoreID)
	}
	return all[i], nil
}

// completeRuns has a shell complete the runs of the store's backups.
func completeRuns(c *cobra.Command, args []string, beginning string) ([]string, cobra.ShellCompDirective) {
	client, err := newClient(c)
	if err != nil || len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := completing(c)
	defer cancel()
	s, _ := client.Store(ctx, args[0]) // without the service there is nothing to choose from
	var runs []string
	for _, b := range s.KnownBackups() {
		if strings.HasPrefix(b.Run, beginning) {
			runs = append(runs, b.Run+"\t"+b.At.Format(time.RFC3339))
		}
	}
	return runs, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// storeBackups are the backups of a store, for programs.
type storeBackups struct {
	StoreID     string                   `json:"store_id"`
	Backups     []provision.Backup       `json:"backups"`
	Failure     *provision.BackupFailure `json:"backup_failure,omitempty"`
	Test        *provision.RestoreTest   `json:"restore_test,omitempty"`
	TestFailure *provision.BackupFailure `json:"restore_test_failure,omitempty"`
}

func backupsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "backups ID", Short: "List the backups of a store, the newest first",
		Long: `backups lists the good backups of a store that are known, 60 at most, with what was in them: when each began, orders, products and the bytes that were
read. A backup is named by its run. It is restored with: orchestrator restore ID --backup RUN`,
		Example: "  orchestrator backups my-shop\n  orchestrator backups my-shop -o json",
		Args:    oneStoreID,
		RunE: func(c *cobra.Command, args []string) error {
			return printAnswer(c, func(client *api.Client) (storeBackups, error) {
				s, err := client.Store(c.Context(), args[0])
				return storeBackups{s.StoreID, append([]provision.Backup{}, s.KnownBackups()...), s.BackupFailure, s.RestoreTest, s.RestoreTestFailure}, err
			}, backupLines)
		},
	}
	outputFlag(c)
	return c
}

func backupLines(b storeBackups, style view.Style) []string {
	lines := []string{"No backup of " + b.StoreID + " is known."}
	if len(b.Backups) > 0 {
		lines = view.Backups(b.Backups, time.Now(), outputWidth(), style)
	}
	if b.Failure != nil {
		lines = append(lines, "", fmt.Sprintf("Since %s none was made: %s", b.Failure.Since.Format(time.RFC3339), view.Clean(b.Failure.Error)))
	}
	if t := b.Test; t != nil {
		lines = append(lines, "", fmt.Sprintf("Proven at %s: that of %s was restored beside the store, and its shop could be used.", t.At.Format(time.RFC3339), t.BackupAt.Format(time.RFC3339)))
	}
	if f := b.TestFailure; f != nil {
		lines = append(lines, "", fmt.Sprintf("Since %s none could be restored beside the store: %s", f.Since.Format(time.RFC3339), view.Clean(f.Error)))
	}
	return lines
}

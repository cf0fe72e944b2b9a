package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

func backupCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "backup ID", Short: "Have a store backed up now",
		Long: `backup has a store that is READY backed up, before those that the clock comes to. Nothing of the shop is stopped. It begins within seconds where fewer backups run
than may; asked for again before it begins, it is the same one. The backups of a store are listed by: orchestrator backups ID

Exit code: 0 once it is asked for; with --watch 0 once it is made, 1 if it has failed.`,
		Example: "  orchestrator backup my-shop --watch",
		Args:    oneStoreID, RunE: backUp,
	}
	c.Flags().BoolP("watch", "w", false, "wait until the backup is made or has failed")
	outputFlag(c)
	return c
}

func backUp(c *cobra.Command, args []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	var asked api.BackupRequested
	if err := client.Change(c.Context(), args[0], 0, api.Backup, nil, &asked); err != nil {
		return err
	}
	watch, _ := c.Flags().GetBool("watch")
	switch {
	case structured(c):
		err = printDocument(c, asked)
	case watch:
		fmt.Fprintf(c.OutOrStdout(), "A backup of %s is asked for.\n", asked.StoreID)
	default:
		fmt.Fprintf(c.OutOrStdout(), "A backup of %s is asked for. It is listed, once it is made, by: orchestrator backups %s\n", asked.StoreID, asked.StoreID)
	}
	if err != nil || !watch {
		return err
	}
	made, err := awaitBackup(c.Context(), client, asked)
	if err != nil {
		return err
	}
	if structured(c) {
		return printDocument(c, made)
	}
	printLines(c.OutOrStdout(), view.Backups([]provision.Backup{made}, time.Now(), outputWidth(), view.StyleOf(os.Stdout)))
	return nil
}

// awaitBackup returns the backup that was asked for once it is made. The error says how it has ended otherwise.
func awaitBackup(ctx context.Context, client *api.Client, asked api.BackupRequested) (provision.Backup, error) {
	for end := time.Now().Add(outageLimit); ; {
		s, err := client.Store(ctx, asked.StoreID)
		switch {
		case err != nil && (!api.IsTemporary(err) || time.Now().After(end)):
			return provision.Backup{}, err
		case err == nil:
			if made, over, err := backupSince(s, asked.RequestedAt); over {
				return made, err
			}
			end = time.Now().Add(outageLimit)
		}
		if err := sleep(ctx); err != nil {
			return provision.Backup{}, err
		}
	}
}

// backupSince is the backup of a store that was asked for at this time. over is false while it is neither made nor has failed. Pods tell when they began in whole seconds.
func backupSince(s provision.State, at time.Time) (made provision.Backup, over bool, err error) {
	switch {
	case s.Backup != nil && !s.Backup.At.Before(at.Truncate(time.Second)):
		return *s.Backup, true, nil
	case !s.BackupRequestedAt.IsZero():
		return made, false, nil
	case s.BackupFailure != nil:
		return made, true, fmt.Errorf("the backup of %s has failed: %s", s.StoreID, view.Clean(s.BackupFailure.Error))
	}
	return made, true, fmt.Errorf("no backup of %s was made: it is %s, and only a store that is READY is backed up", s.StoreID, s.Status)
}

package main

import (
	"context"

	"orchestrator/cmd/monitor/internal/pages"
	"orchestrator/provision"
	"orchestrator/worker/intake"
	"orchestrator/worker/record"
)

// actions does what a button asks for, through what ingest asks.
type actions struct {
	*intake.Intake
	records *record.Records
}

// Do implements [pages.Actions].
func (a actions) Do(ctx context.Context, action provision.Action, id string, generation int64, o pages.Options) (found bool, err error) {
	switch action {
	case provision.ActionRetry:
		_, found, err = a.Retry(ctx, id, generation, nil)
	case provision.ActionRepair:
		_, found, err = a.Retry(ctx, id, generation, []provision.Force{provision.ForceApply, provision.ForceVerify})
	case provision.ActionCancel:
		_, found, err = a.Cancel(ctx, id, generation)
	case provision.ActionSuspend:
		_, found, err = a.Suspend(ctx, id, generation, o.Reason)
	case provision.ActionResume:
		_, found, err = a.Resume(ctx, id, generation)
	case provision.ActionRotate:
		_, found, err = a.Rotate(ctx, id, generation)
	case provision.ActionBackup:
		_, found, err = a.records.Backups.RequestBackup(ctx, id, generation)
	case provision.ActionRestore:
		_, found, err = a.Restore(ctx, id, generation, o.Restore)
	case provision.ActionProtect, provision.ActionUnprotect:
		found, err = a.records.Repeats.Protect(ctx, id, action == provision.ActionProtect)
	case provision.ActionDelete:
		_, err = a.AcceptIf(ctx, provision.Request{StoreID: id, Action: provision.OpDelete, RetainData: o.RetainData}, generation)
		found = err == nil
	case provision.ActionReplay:
		err = provision.Errorf(provision.CodeInvalid, "a callback is replayed, not a store")
	}
	return found, err
}

// ReleaseHold implements [pages.Actions].
func (a actions) ReleaseHold(ctx context.Context, cluster, engine string) (bool, error) {
	return a.records.Fleet.ReleaseHold(ctx, cluster, engine)
}

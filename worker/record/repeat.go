package record

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// Repeat accepts what the store's record asks for once more, as [Requests.AcceptIf] does: a delete that has failed or is under way, and
// otherwise the newest provision. What is under way already is joined, unless force names something that it does not do again. If generation is not 0, it has to
// be the newest; an error of code superseded says that it is not, or that a request has come in between.
//
// found is false where there is no record. The error has code conflict for a store that is deleted: nothing is left to repeat.
func (r *Repeats) Repeat(ctx context.Context, storeID string, generation int64, force []provision.Force, timeout time.Duration) (a provision.Accepted, found bool, err error) {
	return r.again(ctx, storeID, timeout, terms{newest: generation, force: force}, Record.repeated)
}

// Suspend has the store stopped, with everything of it kept, and Resume has it started again: each is the newest provision once more, as
// [Repeats.Repeat] describes it. A store that is being deleted, or is deleted, is an error of code conflict. Until it is resumed the store stays suspended,
// whatever else is requested of it.
func (r *Repeats) Suspend(ctx context.Context, storeID string, generation int64, reason string, timeout time.Duration) (a provision.Accepted, found bool, err error) {
	return r.again(ctx, storeID, timeout, terms{newest: generation, suspend: "1", suspendReason: reason}, Record.provisioned)
}

// Resume is the opposite of [Repeats.Suspend].
func (r *Repeats) Resume(ctx context.Context, storeID string, generation int64, timeout time.Duration) (a provision.Accepted, found bool, err error) {
	return r.again(ctx, storeID, timeout, terms{newest: generation, suspend: "0"}, Record.provisioned)
}

// Rotate has the store given new credentials: it is the newest provision once more, as [Repeats.Repeat] describes it, with a step in which the running shop
// takes them. It is done once for each request, whatever comes in between. A store that is suspended, or that is being deleted, or is deleted, is an error of code conflict.
func (r *Repeats) Rotate(ctx context.Context, storeID string, generation int64, timeout time.Duration) (a provision.Accepted, found bool, err error) {
	return r.again(ctx, storeID, timeout, terms{newest: generation, rotate: true}, Record.provisioned)
}

// Restore has the store become what it was when one of its backups began: it is the newest provision once more, as [Repeats.Repeat] describes it, with a step before the
// shop starts. Until the store is READY with it, every later run goes on with it, or with a restore that was asked for later. With a new password it is a rotation too. An
// error of code conflict says that no such backup is known, or that the store is suspended, being deleted, or deleted.
func (r *Repeats) Restore(ctx context.Context, storeID string, generation int64, want provision.RestoreRequest, timeout time.Duration) (a provision.Accepted, found bool, err error) {
	backups, err := r.redis.LRange(ctx, keyStoreBackups(storeID), 0, provision.MaxBackups-1).Result()
	if err != nil {
		return provision.Accepted{}, false, redisconn.WrapError(err)
	}
	chosen, unknown := chooseBackup(storeID, backups, want.Backup)
	t := terms{newest: generation, rotate: want.NewPassword, restore: chosen}
	return r.again(ctx, storeID, timeout, t, func(known Record, id string) (provision.Request, error) {
		req, err := known.provisioned(id)
		return req, cmp.Or(err, unknown)
	})
}

// chooseBackup is the backup of that run as it is kept; of none, the newest.
func chooseBackup(storeID string, backups []string, run string) (string, error) {
	for i, b := range backupsOf(backups) {
		if run == "" || b.Run == run {
			return backups[i], nil
		}
	}
	if len(backups) == 0 {
		return "", provision.Errorf(provision.CodeConflict, "no backup of store %s is known", storeID)
	}
	return "", provision.Errorf(provision.CodeConflict, "store %s has no backup %q that is known; `orchestrator backups %s` lists them", storeID, run, storeID)
}

// DeleteLater has the store stopped, as [Repeats.Suspend] does, and deleted when the grace is over, unless anything is asked of it before. The first date stands
// if it is repeated.
//
// found is false for a store that has nothing to keep: it is unknown, was never READY, or is deleted or being deleted. The error has code conflict for one that is protected.
func (r *Repeats) DeleteLater(ctx context.Context, storeID string, generation int64, grace provision.Grace, timeout time.Duration) (a provision.Accepted, found bool, err error) {
	t := terms{newest: generation, suspend: "1", suspendReason: "to be deleted", grace: grace}
	a, found, err = r.again(ctx, storeID, timeout, t, Record.kept)
	if errors.Is(err, errNothingToKeep) {
		return provision.Accepted{}, false, nil
	}
	return a, found, err
}

var errNothingToKeep = errors.New("the store was never READY, or is being deleted")

// kept is the newest provision, of a store that has something to keep.
func (r Record) kept(storeID string) (req provision.Request, err error) {
	if r.Op != provision.OpProvision || r.ReadyGeneration == 0 {
		return req, errNothingToKeep
	}
	return r.provisioned(storeID)
}

// again accepts a request that the store's record holds, on other terms.
func (r *Repeats) again(ctx context.Context, storeID string, timeout time.Duration, t terms, which func(Record, string) (provision.Request, error)) (a provision.Accepted, found bool, err error) {
	known, err := r.record(ctx, storeID)
	if err == nil && known.Generation == 0 {
		err = r.complete(ctx) // after a loss of data the record may come back
	}
	if err != nil || known.Generation == 0 {
		return provision.Accepted{}, false, err
	}
	req, err := which(known, storeID)
	if err != nil {
		return provision.Accepted{}, true, err
	}
	if t.newest == 0 {
		t.newest = known.Generation
	}
	a, err = r.accept(ctx, req, timeout, t)
	return a, true, err
}

// repeated is the request that the record keeps.
func (r Record) repeated(storeID string) (req provision.Request, err error) {
	if r.Op == provision.OpDelete {
		if r.Status == provision.StatusDeleted {
			return req, provision.Errorf(provision.CodeConflict, "store %s is deleted, so there is nothing to repeat; post it again to make it anew", storeID)
		}
		return provision.Request{StoreID: storeID, Action: provision.OpDelete, RetainData: r.RetainData}, nil
	}
	return r.provisioned(storeID)
}

// provisioned is the newest provision, of a store that is not to be deleted.
func (r Record) provisioned(storeID string) (req provision.Request, err error) {
	if r.Op == provision.OpDelete {
		return req, provision.Errorf(provision.CodeConflict, "store %s is %s; it cannot be suspended, resumed or restored, nor its credentials rotated", storeID, cmp.Or(r.Status, provision.StatusDeleting))
	}
	if err := json.Unmarshal([]byte(r.RequestJSON), &req); err != nil {
		return req, fmt.Errorf("the record of store %s does not parse: %w", storeID, err)
	}
	return req, nil
}

// Cancel gives up the newest generation of a store that has not begun or only waits: its outcome is FAILED, or DELETE_FAILED, with code
// cancelled, and is told like any other. Nothing is deleted. next are the runs of other stores that may begin now. If
// generation is not 0, it has to be the newest; an error of code superseded says that it is not.
//
// found is false where there is no record. The error has code conflict where there is nothing to cancel, or a worker is at it.
func (r *Repeats) Cancel(ctx context.Context, storeID string, generation int64) (cancelled provision.Cancelled, next []queue.Task, found bool, err error) {
	newest := ""
	if generation != 0 {
		newest = strconv.FormatInt(generation, 10)
	}
	answer, err := r.runScript(ctx, cancelScript,
		[]string{keyStore(storeID), keyRunLease(storeID), keyCallbacks(storeID), keyOutstanding},
		storeID, newest, r.creatorLimit, cancelledBy(provision.OriginOf(ctx).By))
	if err != nil {
		return cancelled, nil, false, err
	}
	switch answer[0] {
	case "no-record":
		return cancelled, nil, false, r.complete(ctx)
	case "overtaken":
		return cancelled, nil, true, errOvertaken(storeID, answer[1])
	case "decided":
		return cancelled, nil, true, provision.Errorf(provision.CodeConflict, "the newest request of store %s has ended already: it is %s", storeID, answer[1])
	case "running":
		return cancelled, nil, true, provision.Errorf(provision.CodeConflict,
			"a worker is at store %s just now, and what it does is not broken off; cancel it when the run waits for its next try, or send the request that is to take its place", storeID)
	}
	op := provision.Op(answer[1])
	return provision.Cancelled{Action: op, Generation: number(answer[2]), Status: op.Failure()}, tasksOf(provision.OpProvision, answer[3:]), true, nil
}

// Protect has every delete of the store refused with an error of code conflict, or lifts that. It makes no generation and is not told to the backend; the cluster knows
// it within ten minutes, or with the store's next run.
//
// found is false where there is no record. The error has code conflict for a store that is deleted.
func (r *Repeats) Protect(ctx context.Context, storeID string, protected bool) (found bool, err error) {
	answer, err := r.runScript(ctx, protectScript, []string{keyStore(storeID)}, flag(protected))
	switch {
	case err != nil:
		return false, err
	case answer[0] == "gone":
		return true, provision.Errorf(provision.CodeConflict, "store %s is deleted, so there is nothing to protect", storeID)
	case answer[0] == "no-record":
		return false, r.complete(ctx)
	}
	return true, nil
}

// cancelledBy is what the backend is told.
func cancelledBy(name string) string {
	if name == "" {
		return "the request was cancelled before it was carried out; nothing was deleted"
	}
	return "the request was cancelled by " + name + " before it was carried out; nothing was deleted"
}

func errOvertaken(storeID, generation string) error {
	return provision.Errorf(provision.CodeSuperseded, "store %s has a newer request: its generation is %s by now", storeID, generation)
}

// forceText is how the record keeps what is forced.
func forceText(force []provision.Force) string {
	words := make([]string, len(force))
	for i, f := range force {
		words[i] = string(f)
	}
	return strings.Join(words, " ")
}

func forcesOf(text string) (force []provision.Force) {
	for _, word := range strings.Fields(text) {
		force = append(force, provision.Force(word))
	}
	return force
}

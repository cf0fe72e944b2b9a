// Package intake accepts requests: it records each and enqueues its task.
package intake

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/tracing"
)

// Intake records requests and enqueues their tasks.
type Intake struct {
	Records           *record.Records
	Tasks             *queue.Tasks
	GenerationTimeout time.Duration // from acceptance to the end of a generation
	Log               *slog.Logger
}

const (
	retryIncomplete = 100 * time.Millisecond // how often it is tried while the records are incomplete
	answerMargin    = 500 * time.Millisecond // the part of the caller's time that is left for the last try
)

// Accept is [record.Requests.Accept] followed by the task. A request that is recorded is accepted: if only its task cannot be
// enqueued, the sweeper enqueues it within seconds.
//
// While the records are incomplete, as on a Redis that is new, the request is held until shortly before the deadline of ctx: there are
// callers for whom a 503 is final.
func (i *Intake) Accept(ctx context.Context, req provision.Request) (provision.Accepted, error) {
	recording, end := tracing.Record(ctx, "accept")
	accepted, err := i.acceptOnceComplete(recording, req)
	end(err)
	return i.enqueued(ctx, req, accepted, err)
}

// AcceptIf is [record.Requests.AcceptIf] followed by the task.
func (i *Intake) AcceptIf(ctx context.Context, req provision.Request, generation int64) (provision.Accepted, error) {
	recording, end := tracing.Record(ctx, "accept")
	accepted, err := i.Records.Requests.AcceptIf(recording, req, generation, i.GenerationTimeout)
	end(err)
	return i.enqueued(ctx, req, accepted, err)
}

// Retry accepts what the store's record asks for once more: [record.Repeats.Repeat]. A run that waits for its next try begins now.
func (i *Intake) Retry(ctx context.Context, storeID string, generation int64, force []provision.Force) (provision.Accepted, bool, error) {
	return i.again(ctx, storeID, generation, func(generation int64) (provision.Accepted, bool, error) {
		return i.Records.Repeats.Repeat(ctx, storeID, generation, force, i.GenerationTimeout)
	})
}

// Suspend is [record.Repeats.Suspend] followed by the task.
func (i *Intake) Suspend(ctx context.Context, storeID string, generation int64, reason string) (provision.Accepted, bool, error) {
	return i.again(ctx, storeID, generation, func(generation int64) (provision.Accepted, bool, error) {
		return i.Records.Repeats.Suspend(ctx, storeID, generation, reason, i.GenerationTimeout)
	})
}

// Resume is [record.Repeats.Resume] followed by the task.
func (i *Intake) Resume(ctx context.Context, storeID string, generation int64) (provision.Accepted, bool, error) {
	return i.again(ctx, storeID, generation, func(generation int64) (provision.Accepted, bool, error) {
		return i.Records.Repeats.Resume(ctx, storeID, generation, i.GenerationTimeout)
	})
}

// Rotate is [record.Repeats.Rotate] followed by the task.
func (i *Intake) Rotate(ctx context.Context, storeID string, generation int64) (provision.Accepted, bool, error) {
	return i.again(ctx, storeID, generation, func(generation int64) (provision.Accepted, bool, error) {
		return i.Records.Repeats.Rotate(ctx, storeID, generation, i.GenerationTimeout)
	})
}

// Restore is [record.Repeats.Restore] followed by the task.
func (i *Intake) Restore(ctx context.Context, storeID string, generation int64, want provision.RestoreRequest) (provision.Accepted, bool, error) {
	return i.again(ctx, storeID, generation, func(generation int64) (provision.Accepted, bool, error) {
		return i.Records.Repeats.Restore(ctx, storeID, generation, want, i.GenerationTimeout)
	})
}

// DeleteLater is [record.Repeats.DeleteLater] followed by the task.
func (i *Intake) DeleteLater(ctx context.Context, storeID string, generation int64, grace provision.Grace) (provision.Accepted, bool, error) {
	return i.again(ctx, storeID, generation, func(generation int64) (provision.Accepted, bool, error) {
		return i.Records.Repeats.DeleteLater(ctx, storeID, generation, grace, i.GenerationTimeout)
	})
}

// again accepts something of the record, and makes sure that its task is tried now. A request that comes in between is what counts then, unless the caller
// means a certain generation.
func (i *Intake) again(ctx context.Context, storeID string, generation int64, accept func(int64) (provision.Accepted, bool, error)) (a provision.Accepted, found bool, err error) {
	for range 2 {
		_, end := tracing.Record(ctx, "accept")
		a, found, err = accept(generation)
		end(err)
		if generation != 0 || provision.CodeOf(err) != provision.CodeSuperseded {
			break
		}
	}
	if err != nil || !found {
		return provision.Accepted{}, found, err
	}
	task := queue.Task{Op: a.Action, StoreID: storeID, Generation: a.Generation, Cluster: a.Cluster}
	sending, end := tracing.Send(ctx, string(task.Op))
	err = i.Tasks.Revive(sending, task, true)
	if end(err); err != nil {
		i.Log.Warn("a request is accepted but not enqueued; the sweeper enqueues it", "store_id", storeID, "generation", task.Generation, "error", err)
	}
	return a, true, nil
}

// Cancel is [record.Repeats.Cancel] followed by the tasks: of the callback, and of the runs that have a slot now.
func (i *Intake) Cancel(ctx context.Context, storeID string, generation int64) (provision.Cancelled, bool, error) {
	cancelled, next, found, err := i.Records.Repeats.Cancel(ctx, storeID, generation)
	if err != nil || !found {
		return cancelled, found, err
	}
	calls, err := i.Records.Callbacks.Pending(ctx, storeID)
	for _, call := range calls {
		err = errors.Join(err, i.Tasks.EnqueueCallback(ctx, call))
	}
	for _, task := range next {
		err = errors.Join(err, i.Tasks.Revive(ctx, task, true))
	}
	if err != nil {
		i.Log.Warn("a cancel is recorded but not all its tasks are enqueued; the sweeper enqueues them", "store_id", storeID, "error", err)
	}
	return cancelled, true, nil
}

func (i *Intake) enqueued(ctx context.Context, req provision.Request, accepted provision.Accepted, err error) (provision.Accepted, error) {
	if err != nil {
		return provision.Accepted{}, err
	}
	task := queue.Task{Op: req.Action, StoreID: req.StoreID, Generation: accepted.Generation, Cluster: accepted.Cluster}
	sending, end := tracing.Send(ctx, string(task.Op))
	err = i.Tasks.Enqueue(sending, task)
	if end(err); err != nil {
		i.Log.Warn("a request is accepted but not enqueued; the sweeper enqueues it", "store_id", req.StoreID,
			"generation", accepted.Generation, "error", err)
	}
	return accepted, nil
}

func (i *Intake) acceptOnceComplete(ctx context.Context, req provision.Request) (provision.Accepted, error) {
	for {
		accepted, err := i.Records.Requests.Accept(ctx, req, i.GenerationTimeout)
		deadline, limited := ctx.Deadline()
		if !record.Incomplete(err) || !limited || time.Until(deadline) < retryIncomplete+answerMargin {
			return accepted, err
		}
		select {
		case <-ctx.Done():
			return accepted, err
		case <-time.After(retryIncomplete):
		}
	}
}

// Replay is [record.Callbacks.Replay] followed by the task. If only the task cannot be enqueued, the sweeper enqueues it within
// seconds.
func (i *Intake) Replay(ctx context.Context, callbackID string) (provision.ReplayResult, error) {
	result, task, err := i.Records.Callbacks.Replay(ctx, callbackID)
	if err != nil || result != provision.ReplayQueued {
		return result, err
	}
	// The operator has mended something: a task that waits for its next try is tried now.
	if err := i.Tasks.ReviveCallback(ctx, task, true); err != nil {
		i.Log.Warn("a dead letter is replayed but not enqueued; the sweeper enqueues it", "store_id", task.StoreID,
			"webhook_id", callbackID, "error", err)
	}
	return result, nil
}

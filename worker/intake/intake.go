// Package intake accepts requests: it records each and enqueues its task.
package intake

import (
	"context"
	"log/slog"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
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
	accepted, err := i.acceptOnceComplete(ctx, req)
	return i.enqueued(ctx, req, accepted, err)
}

// AcceptIf is [record.Requests.AcceptIf] followed by the task.
func (i *Intake) AcceptIf(ctx context.Context, req provision.Request, generation int64) (provision.Accepted, error) {
	accepted, err := i.Records.Requests.AcceptIf(ctx, req, generation, i.GenerationTimeout)
	return i.enqueued(ctx, req, accepted, err)
}

func (i *Intake) enqueued(ctx context.Context, req provision.Request, accepted provision.Accepted, err error) (provision.Accepted, error) {
	if err != nil {
		return provision.Accepted{}, err
	}
	task := queue.Task{Op: req.Action, StoreID: req.StoreID, Generation: accepted.Generation, Cluster: accepted.Cluster}
	if err := i.Tasks.Enqueue(ctx, task); err != nil {
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

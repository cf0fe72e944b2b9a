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

// Accept is [record.Requests.Accept] followed by the task. A request that is recorded is accepted: if only its task cannot be
// enqueued, the sweeper enqueues it within seconds.
func (i *Intake) Accept(ctx context.Context, req provision.Request) (provision.Accepted, error) {
	accepted, err := i.Records.Requests.Accept(ctx, req, i.GenerationTimeout)
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

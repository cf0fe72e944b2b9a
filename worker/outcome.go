package worker

import (
	"context"
	"log/slog"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/tracing"
)

// Outcomes records outcomes: [record.Runs].
type Outcomes interface {
	RecordOutcome(ctx context.Context, run record.Run, status provision.Status, code provision.Code, text string) (result record.OutcomeResult, next []queue.Task, err error)
}

// PendingCallbacks tells what is left to deliver: [record.Callbacks].
type PendingCallbacks interface {
	Pending(ctx context.Context, storeID string) ([]queue.CallbackTask, error)
}

// Queue makes tasks exist and be tried.
type Queue interface {
	EnqueueCallback(ctx context.Context, task queue.CallbackTask) error
	Revive(ctx context.Context, task queue.Task, soon bool) error
	ReviveCallback(ctx context.Context, task queue.CallbackTask, soon bool) error
}

// outcomeRecorder records an outcome once and makes sure that it will be delivered.
type outcomeRecorder struct {
	outcomes Outcomes
	pending  PendingCallbacks
	queue    Queue
	state    ClusterState
	log      *slog.Logger
}

// record records the outcome of a run and enqueues its callback. The context of the run may have ended; this has a timeout of
// its own, and only belongs to its span. After a nil error the generation has an outcome, this one or an earlier one, or continues on another cluster.
func (s *outcomeRecorder) record(ctx context.Context, run record.Run, status provision.Status, code provision.Code, text string) (record.OutcomeResult, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	recording, end := tracing.Record(ctx, "outcome")
	result, next, err := s.outcomes.RecordOutcome(recording, run, status, code, text)
	end(err)
	switch {
	case err != nil:
		return "", err
	case result == record.OutcomeSuperseded:
		return result, errSuperseded
	case result == record.OutcomeLeaseLost:
		return result, errLeaseLost
	}
	s.enqueueCallbacks(ctx, run.Store.StoreID, next...)
	if result == record.OutcomeRecorded && (status != provision.StatusDeleted || run.Store.RetainData) {
		saveState(ctx, s.log, run.Store, func(ctx context.Context) error {
			return s.state.SaveOutcome(ctx, run.Store, provision.Outcome{Generation: run.Store.Generation, Status: status, Code: code, Error: text, Outputs: run.Outputs})
		})
	}
	return result, nil
}

// enqueueCallbacks enqueues the tasks of the store's pending callbacks and of the provisions that may begin now. What fails
// here is done by the sweeper a few seconds later.
func (s *outcomeRecorder) enqueueCallbacks(ctx context.Context, storeID string, next ...queue.Task) {
	calls, err := s.pending.Pending(ctx, storeID)
	for _, call := range calls {
		if err == nil {
			sending, end := tracing.Send(ctx, "callback")
			err = s.queue.EnqueueCallback(sending, call)
			end(err)
		}
	}
	for _, task := range next {
		if err == nil {
			err = s.queue.Revive(ctx, task, true)
		}
	}
	if err != nil {
		s.log.Warn("tasks were not enqueued; the sweeper enqueues them", "store_id", storeID, "error", err)
	}
}

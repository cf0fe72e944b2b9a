package worker

import (
	"context"
	"log/slog"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// Verdicts is the truth's side of the records.
type Verdicts interface {
	Verdict(ctx context.Context, run queue.Run, status provision.Status, code provision.Code, text string) (ruling queue.Ruling, next []queue.Task, err error)
	Untold(ctx context.Context, storeID string) ([]queue.CallTask, error)
}

// Queue makes tasks exist and be tried.
type Queue interface {
	EnqueueCall(ctx context.Context, task queue.CallTask) error
	Revive(ctx context.Context, task queue.Task, soon bool) error
	ReviveCall(ctx context.Context, task queue.CallTask, soon bool) error
}

// speaker sees to it that a truth is written once and will be told.
type speaker struct {
	verdicts Verdicts
	queue    Queue
	memory   Memory
	log      *slog.Logger
}

// rule writes the verdict of a run and puts its callback into the queue. The context of the run may have ended; this
// takes its own time. After a nil the generation has a verdict, this one or an earlier one.
func (s *speaker) rule(run queue.Run, status provision.Status, code provision.Code, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleWait)
	defer cancel()
	ruling, next, err := s.verdicts.Verdict(ctx, run, status, code, text)
	switch {
	case err != nil:
		return err
	case ruling == queue.Moot:
		return errOvertaken
	case ruling == queue.Expired:
		return errLeaseLost
	}
	s.speak(ctx, run.Store.StoreID, next...)
	if ruling == queue.Written && (status != provision.StatusDeleted || run.Store.RetainData) {
		remember(ctx, s.log, run.Store, func(ctx context.Context) error {
			return s.memory.Remember(ctx, run.Store, provision.Verdict{Generation: run.Store.Generation, Status: status, Code: code, Error: text, Facts: run.Facts})
		})
	}
	return nil
}

// speak makes the tasks exist that tell what the store has not been heard of yet, and has the provisions tried that may
// begin now. What fails here is done by the sweeper a few seconds later.
func (s *speaker) speak(ctx context.Context, storeID string, next ...queue.Task) {
	calls, err := s.verdicts.Untold(ctx, storeID)
	for _, call := range calls {
		if err == nil {
			err = s.queue.EnqueueCall(ctx, call)
		}
	}
	for _, task := range next {
		if err == nil {
			err = s.queue.Revive(ctx, task, true)
		}
	}
	if err != nil {
		s.log.Warn("left to the sweeper", "store_id", storeID, "error", err)
	}
}

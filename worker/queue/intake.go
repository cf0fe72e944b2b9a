package queue

import (
	"context"
	"log/slog"
	"time"

	"orchestrator/provision"
)

// Intake takes requests in: it records each and puts its task into the queue.
type Intake struct {
	Records  *Records
	Tasks    *Tasks
	Patience time.Duration // from acceptance to the end of a generation
	Log      *slog.Logger
}

// Accept is [Records.Accept] followed by the task. Once recorded, a request is accepted: if only the task could not be
// put into the queue, the sweeper does it within seconds.
func (i *Intake) Accept(ctx context.Context, req provision.Request) (provision.Accepted, error) {
	accepted, err := i.Records.Accept(ctx, req, i.Patience)
	if err != nil {
		return provision.Accepted{}, err
	}
	task := Task{Op: req.Action, StoreID: req.StoreID, Generation: accepted.Generation, Cluster: accepted.Cluster}
	if err := i.Tasks.Enqueue(ctx, task); err != nil {
		i.Log.Warn("accepted, but not in its queue yet; the sweeper puts it there", "store_id", req.StoreID,
			"generation", accepted.Generation, "error", err)
	}
	return accepted, nil
}

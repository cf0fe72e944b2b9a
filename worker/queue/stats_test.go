package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/provision"
)

func (b *bench) stats(queue string) Stats {
	b.Helper()
	all, err := b.tasks.Stats(b.ctx, queue)
	return must(b, all, err)[0]
}

func TestStatsCountsWhatIsNotOver(t *testing.T) {
	each(t, func(b *bench) {
		want := func(when string, pending, active, retry int) Stats {
			b.Helper()
			got := b.stats(QueueProvision)
			if got.Queue != QueueProvision || got.Pending != pending || got.Active != active || got.Retry != retry {
				b.Errorf("%s: %+v", when, got)
			}
			return got
		}
		if got := want("nothing", 0, 0, 0); !got.NextRetry.IsZero() || !got.OldestPending.IsZero() {
			b.Errorf("an empty queue has times: %+v", got)
		}
		b.enqueue(aTask)
		b.enqueue(Task{Op: aTask.Op, StoreID: "b", Generation: 3, Cluster: aTask.Cluster})
		if got := want("enqueued", 2, 0, 0); time.Since(got.OldestPending) > time.Minute || got.OldestPending.After(time.Now()) {
			b.Errorf("the oldest task waits since %s", got.OldestPending)
		}
		b.serve(QueueProvision, 2, func(context.Context, *asynq.Task) error { return errors.New("later") })
		got := want("failed", 0, 0, 2)
		if left := time.Until(got.NextRetry); left < 50*time.Minute || left > time.Hour {
			b.Errorf("tried again in %s", left)
		}
		if err := b.tasks.inspector.PauseQueue(QueueProvision); err != nil || got.Paused {
			b.Fatal(got, err)
		}
		if !want("paused", 0, 0, 2).Paused {
			b.Error("a paused queue is not shown as one")
		}
		if err := b.tasks.inspector.ArchiveTask(QueueProvision, aTask.ID()); err != nil {
			b.Fatal(err)
		}
		if got := want("archived", 0, 0, 1); got.Archived != 1 {
			b.Errorf("archived: %d", got.Archived)
		}
	})
}

func TestStatsOfTheQueuesAsked(t *testing.T) {
	each(t, func(b *bench) {
		b.enqueue(Task{StoreID: "shop", Generation: 1, Op: provision.OpProvision, Cluster: provision.DefaultCluster})
		queues, err := b.tasks.Queues(b.ctx)
		if err != nil {
			b.Fatal(err)
		}
		all, err := b.tasks.Stats(b.ctx, queues...)
		if err != nil {
			b.Fatal(err)
		}
		pending := map[string]int{}
		for _, s := range all {
			pending[s.Queue] = s.Pending
		}
		if len(all) != 4 || pending[QueueProvision] != 1 || pending[QueueDelete] != 0 {
			b.Errorf("the queues hold %v", all)
		}
	})
}

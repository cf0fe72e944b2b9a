package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"
)

func TestBacklogCountsWhatIsNotOver(t *testing.T) {
	each(t, func(b *bench) {
		want := func(when string, waiting, underWay, later int) Backlog {
			b.Helper()
			got, err := b.tasks.Backlog(b.ctx, QueueProvision)
			if err != nil || got.Waiting != waiting || got.UnderWay != underWay || got.Later != later {
				b.Errorf("%s: %+v, %v", when, got, err)
			}
			return got
		}
		if got := want("nothing", 0, 0, 0); !got.Next.IsZero() {
			b.Errorf("nothing is due at %s", got.Next)
		}
		b.enqueue(aTask)
		b.enqueue(Task{Op: aTask.Op, StoreID: "b", Generation: 3})
		want("enqueued", 2, 0, 0)
		b.serve(QueueProvision, 2, func(context.Context, *asynq.Task) error { return errors.New("later") })
		got := want("failed", 0, 0, 2)
		if left := time.Until(got.Next); left < 50*time.Minute || left > time.Hour {
			b.Errorf("tried again in %s", left)
		}
		if err := b.tasks.inspector.PauseQueue(QueueProvision); err != nil || got.Paused {
			b.Fatal(got, err)
		}
		if !want("paused", 0, 0, 2).Paused {
			b.Error("a paused queue is not shown as one")
		}
	})
}

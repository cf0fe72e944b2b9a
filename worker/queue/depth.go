package queue

import (
	"context"
	"slices"
	"time"

	"github.com/hibiken/asynq"
)

// Depth is what waits in one queue.
type Depth struct {
	Queue string
	Tasks map[string]int // by state: pending, active, retry, archived
	Age   time.Duration  // of the oldest pending task
}

// Depths tells of all queues of ours. A queue that nobody has used yet is empty.
func (t *Tasks) Depths(ctx context.Context) ([]Depth, error) {
	queues, err := t.Queues(ctx)
	if err != nil {
		return nil, err
	}
	known, err := t.inspector.Queues()
	if err != nil {
		return nil, redisError(err)
	}
	var all []Depth
	for _, queue := range queues {
		info := &asynq.QueueInfo{}
		if slices.Contains(known, queue) {
			if info, err = t.inspector.GetQueueInfo(queue); err != nil {
				return nil, redisError(err)
			}
		}
		all = append(all, Depth{Queue: queue, Age: info.Latency, Tasks: map[string]int{
			"pending": info.Pending, "active": info.Active, "retry": info.Retry, "archived": info.Archived}})
	}
	return all, nil
}

package kube

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"orchestrator/provision"
)

// writeSlots limit how many writes run against one API server at the same time, over all runs of the process. Maintenance has half of them at most, so
// that what customers ask for never waits for it alone.
type writeSlots struct{ all, maintenance *semaphore.Weighted }

func newWriteSlots(n int) writeSlots {
	return writeSlots{semaphore.NewWeighted(int64(n)), semaphore.NewWeighted(int64(max(n/2, 1)))}
}

// Write runs one write, or a few that belong together, in a write slot. It does not start after ctx has ended.
func (c *Client) Write(ctx context.Context, do func() error) error {
	waiting := sync.OnceFunc(func() { c.Observer().Waiting(-1) })
	c.Observer().Waiting(1)
	defer waiting()
	if provision.IsMaintenance(ctx) {
		if err := c.writes.maintenance.Acquire(ctx, 1); err != nil {
			return context.Cause(ctx)
		}
		defer c.writes.maintenance.Release(1)
	}
	if err := c.writes.all.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer c.writes.all.Release(1)
	waiting()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return do()
}

package kube

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// writeSlots limit how many writes run against one API server at the same time, over all runs of the process.
type writeSlots struct{ *semaphore.Weighted }

func newWriteSlots(n int) writeSlots { return writeSlots{semaphore.NewWeighted(int64(n))} }

// Write runs one write, or a few that belong together, in a write slot. It does not start after ctx has ended.
func (c *Client) Write(ctx context.Context, do func() error) error {
	if err := c.writes.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer c.writes.Release(1)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return do()
}

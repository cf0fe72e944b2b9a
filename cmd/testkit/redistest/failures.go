package redistest

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// FailedAttempts counts, as a hook of a client, the commands with a deadline that failed. Each attempt of a command that a
// hook before it retries counts.
type FailedAttempts chan struct{}

// DialHook changes nothing.
func (FailedAttempts) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook changes nothing.
func (FailedAttempts) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook counts.
func (c FailedAttempts) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if _, limited := ctx.Deadline(); limited && err != nil {
			select {
			case c <- struct{}{}:
			default:
			}
		}
		return err
	}
}

// CountFailures returns the count of a client's failed attempts from now on.
func CountFailures(client redis.UniversalClient) FailedAttempts {
	c := make(FailedAttempts, 100)
	client.AddHook(c)
	return c
}

// Await returns after n attempts that failed.
func (c FailedAttempts) Await(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		select {
		case <-c:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d attempts, want %d", i, n)
		}
	}
}

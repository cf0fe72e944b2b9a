package redisconn

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// retryHook retries commands that do not reach Redis until their context's deadline. asynq writes the outcome of a task
// with the task's lease as deadline, and gives up after one try: a task that succeeded while Redis was away for two
// seconds would run again a minute later. Commands without a deadline (dequeue, heartbeat, pub/sub) pass through.
type retryHook struct{}

func (retryHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (retryHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (retryHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if _, limited := ctx.Deadline(); !limited {
			return err
		}
		for pause := 100 * time.Millisecond; err != nil && Unreachable(err) && ctx.Err() == nil; pause = min(2*pause, time.Second) {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return err
			}
			cmd.SetErr(nil)
			err = next(ctx, cmd)
		}
		return err
	}
}

// topologyHook reloads the masters of a Cluster as soon as one does not answer. The client library alone goes on asking the
// dead one until its next periodic reload, which was seen to take up to a minute.
type topologyHook struct{ cluster *redis.ClusterClient }

func (topologyHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h topologyHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h.reload(ctx, next(ctx, cmd)) }
}

func (h topologyHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return h.reload(ctx, next(ctx, cmds)) }
}

// reload does not wait for the answer, and the client asks five times a second at most.
func (h topologyHook) reload(ctx context.Context, err error) error {
	if err != nil && Unreachable(err) {
		h.cluster.ReloadState(ctx)
	}
	return err
}

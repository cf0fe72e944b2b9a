package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/worker/redisconn"
)

// Stats is what one queue holds.
type Stats struct {
	Queue    string
	Pending  int // may be taken now
	Active   int // taken by a worker, which may have died
	Retry    int // failed, to be tried again later; tasks scheduled by hand included
	Archived int
	Paused   bool // by an operator: no worker takes anything

	NextRetry     time.Time // when the first task to be retried is due; zero where there is none
	OldestPending time.Time // since when the oldest pending task waits; zero where there is none
}

// Stats returns the statistics of each queue, in the order asked. An unused queue is empty. It takes two round trips, whatever
// the queues hold: asynq's own inspector runs a script over the tasks of each queue.
func (t *Tasks) Stats(ctx context.Context, queues ...string) ([]Stats, error) {
	asked := make([]statsCommands, len(queues))
	_, err := t.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, queue := range queues {
			asked[i].ask(ctx, p, keyPrefix(queue))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, redisconn.WrapError(err)
	}
	since := make([]*redis.StringCmd, len(queues))
	_, err = t.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, queue := range queues {
			if oldest := asked[i].oldest.Val(); oldest != "" {
				since[i] = p.HGet(ctx, keyPrefix(queue)+"t:"+oldest, "pending_since")
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) { // the task was taken meanwhile
		return nil, redisconn.WrapError(err)
	}
	all := make([]Stats, len(queues))
	for i, queue := range queues {
		all[i] = asked[i].stats(queue)
		if since[i] != nil {
			if ns, err := strconv.ParseInt(since[i].Val(), 10, 64); err == nil {
				all[i].OldestPending = time.Unix(0, ns)
			}
		}
	}
	return all, nil
}

// statsCommands are the questions of the first round trip.
type statsCommands struct {
	pending, active, archived, paused *redis.IntCmd
	later                             [2]*redis.IntCmd
	first                             [2]*redis.ZSliceCmd
	oldest                            *redis.StringCmd
}

func (c *statsCommands) ask(ctx context.Context, p redis.Pipeliner, key string) {
	c.pending, c.active = p.LLen(ctx, key+"pending"), p.LLen(ctx, key+"active")
	c.archived, c.paused = p.ZCard(ctx, key+"archived"), p.Exists(ctx, key+"paused")
	for i, state := range []string{"retry", "scheduled"} {
		c.later[i], c.first[i] = p.ZCard(ctx, key+state), p.ZRangeWithScores(ctx, key+state, 0, 0)
	}
	c.oldest = p.LIndex(ctx, key+"pending", -1)
}

func (c *statsCommands) stats(queue string) Stats {
	s := Stats{Queue: queue, Pending: int(c.pending.Val()), Active: int(c.active.Val()), Archived: int(c.archived.Val()), Paused: c.paused.Val() > 0}
	for i := range c.later {
		s.Retry += int(c.later[i].Val())
		for _, z := range c.first[i].Val() {
			if due := time.Unix(int64(z.Score), 0); s.NextRetry.IsZero() || due.Before(s.NextRetry) {
				s.NextRetry = due
			}
		}
	}
	return s
}

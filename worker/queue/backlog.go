package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Backlog is what one queue holds that is not over.
type Backlog struct {
	Waiting  int       // may be taken now
	UnderWay int       // in the hands of some worker, or of one that has died
	Later    int       // tried at a later time
	Next     time.Time // when the first of those is due; zero where there are none
	Paused   bool      // by an operator: nobody takes anything
}

// Backlog asks for one queue's. It costs one round trip, whatever the queue holds.
func (t *Tasks) Backlog(ctx context.Context, queue string) (Backlog, error) {
	base := "asynq:{" + queue + "}:"
	var waiting, underWay, paused *redis.IntCmd
	var later []*redis.IntCmd
	var first []*redis.ZSliceCmd
	_, err := t.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		waiting, underWay = p.LLen(ctx, base+"pending"), p.LLen(ctx, base+"active")
		paused = p.Exists(ctx, base+"paused")
		for _, state := range []string{"retry", "scheduled"} {
			later = append(later, p.ZCard(ctx, base+state))
			first = append(first, p.ZRangeWithScores(ctx, base+state, 0, 0))
		}
		return nil
	})
	if err != nil {
		return Backlog{}, redisError(err)
	}
	b := Backlog{Waiting: int(waiting.Val()), UnderWay: int(underWay.Val()), Paused: paused.Val() > 0}
	for i := range later {
		b.Later += int(later[i].Val())
		for _, z := range first[i].Val() {
			if due := time.Unix(int64(z.Score), 0); b.Next.IsZero() || due.Before(b.Next) {
				b.Next = due
			}
		}
	}
	return b, nil
}

package main

import (
	"context"
	"fmt"
	"time"

	"orchestrator/provision"
)

// The keys of asynq for the queue of callbacks: the one stops it, the other has its tasks.
const (
	callbacksPaused  = "asynq:{callback}:paused"
	callbacksPending = "asynq:{callback}:pending"
)

// callbacks measures how fast outcomes are told to a backend that answers at once. The queue is paused until all are to be told, so that nothing else
// happens meanwhile.
func (b *bench) callbacks(ctx context.Context) error {
	return b.simulated(ctx, 1, func(s *service) error {
		redis := s.redis.Client
		if err := redis.Set(ctx, callbacksPaused, time.Now().Unix(), 0).Err(); err != nil {
			return err
		}
		if err := s.post(ctx, "s-", b.mock); err != nil {
			return err
		}
		err := s.until(ctx, func() (string, bool, error) {
			n, err := redis.LLen(ctx, callbacksPending).Result()
			return fmt.Sprintf("%d of %d callbacks wait", n, b.mock), int(n) >= b.mock, err
		})
		if err != nil {
			return err
		}
		before, begun := s.used(), time.Now()
		if err := redis.Del(ctx, callbacksPaused).Err(); err != nil {
			return err
		}
		if err := s.await(ctx, provision.StatusReady, "s-", b.mock); err != nil {
			return err
		}
		n := float64(b.mock)
		b.note("%d callbacks, by one worker to a backend that answers at once: %.0f/s, %.1f ms of the worker's CPU for each", b.mock, n/time.Since(begun).Seconds(),
			1000*(s.used()["worker"].cpu-before["worker"].cpu)/n)
		return nil
	})
}

package queue

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/worker/redisconn"
)

// bench is a Redis and what a test does with its queues. Its methods fail the test where a queue returns an error.
type bench struct {
	*testing.T
	ctx   context.Context
	redis redis.UniversalClient
	tasks *Tasks
}

// each runs a test on every kind of Redis.
func each(t *testing.T, test func(b *bench)) {
	t.Helper()
	redistest.Each(t, func(t *testing.T, url string) { test(newBench(t, url, redisconn.FailFast)) })
}

func newBench(t *testing.T, url string, profile redisconn.Profile) *bench {
	t.Helper()
	client, err := redisconn.Connect(url, profile, redisconn.TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &bench{T: t, ctx: context.Background(), redis: client, tasks: NewTasks(client)}
}

func must[T any](t testing.TB, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// flush is a loss of all data.
func (b *bench) flush() {
	b.Helper()
	if err := redistest.Flush(b.ctx, b.redis); err != nil {
		b.Fatal(err)
	}
}

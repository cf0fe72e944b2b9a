package redistest_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
)

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries = -1
	client := redis.NewClient(opts)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestElapseExpiresKeys(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		ctx, client := context.Background(), connect(t, url)
		client.Set(ctx, "short", "x", 20*time.Millisecond)
		client.Set(ctx, "long", "x", time.Hour)
		redistest.Elapse(url, 40*time.Millisecond)
		if n := client.Exists(ctx, "short").Val(); n != 0 {
			t.Error("a key outlived its time")
		}
		if n := client.Exists(ctx, "long").Val(); n != 1 {
			t.Error("a key ended before its time")
		}
	})
}

func TestServersAreSeparate(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		ctx := context.Background()
		connect(t, url).Set(ctx, "a", "x", 0)
		for _, other := range []string{redistest.Mini(t), redistest.Real(t)} {
			if n := connect(t, other).DBSize(ctx).Val(); n != 0 {
				t.Errorf("a fresh server has %d keys", n)
			}
		}
	})
}

func TestDurableComesBackWithItsKeys(t *testing.T) {
	s := redistest.Durable(t)
	ctx, client := context.Background(), connect(t, s.URL)
	client.Set(ctx, "a", "kept", 0)
	s.Kill()
	if err := client.Ping(ctx).Err(); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Kill()
	s.Start()
	if got := client.Get(ctx, "a").Val(); got != "kept" {
		t.Errorf("after the restart a is %q", got)
	}
}

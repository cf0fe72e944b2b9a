package redisconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
)

func connected(t *testing.T, url string, profile Profile) redis.UniversalClient {
	t.Helper()
	client, err := Connect(url, profile, TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestUnreachable(t *testing.T) {
	for _, err := range []error{io.EOF, fmt.Errorf("asynq: %w", io.EOF), &net.OpError{Op: "dial", Err: errors.New("no such file")}, context.DeadlineExceeded,
		redis.ErrClosed, redis.ErrPoolTimeout, errors.New("LOADING Redis is loading the dataset in memory"), errors.New("READONLY You can't write"),
		errors.New("asynq: UNKNOWN: redis eval error: OOM command not allowed"), errors.New("CLUSTERDOWN Hash slot not served"),
		errors.New("MISCONF Redis is configured to save"), errors.New("redis: all sentinels specified in configuration are unreachable")} {
		if !Unreachable(err) {
			t.Errorf("%v counts as reachable", err)
		}
	}
	for _, err := range []error{redis.Nil, errors.New("WRONGTYPE Operation against a key"), errors.New("ERR Error running script"), errors.New("NOAUTH Authentication required.")} {
		if Unreachable(err) {
			t.Errorf("%v counts as unreachable", err)
		}
	}
}

func TestRetryToDeadlineOutlastsARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Durable(t)
	client := connected(t, server.URL, RetryToDeadline)
	count := redistest.CountFailures(client)
	server.Kill()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	settled := make(chan error, 1)
	go func() { settled <- client.Set(ctx, "outcome", "done", 0).Err() }()
	count.Await(t, 2) // it tried, failed, and tried again
	server.Start()
	if err := <-settled; err != nil {
		t.Errorf("the command gave up: %v", err)
	}
}

func TestRetryToDeadlineRetriesOnlyWhatDoesNotReachRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Durable(t)
	client := connected(t, server.URL, RetryToDeadline)
	count := redistest.CountFailures(client)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client.Set(ctx, "text", "x", 0)
	before := len(count) // a new connection offers what an old server does not know
	if err := client.Incr(ctx, "text").Err(); err == nil || len(count) != before+1 {
		t.Errorf("counting a text: %v, after %d attempts", err, len(count)-before)
	}
	server.Kill()
	if err := client.Set(context.Background(), "poll", "x", 0).Err(); err == nil {
		t.Error("a command without a deadline succeeded without a server")
	}
	short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	defer cancel()
	if err := client.Set(short, "outcome", "x", 0).Err(); err == nil || short.Err() == nil {
		t.Errorf("before its deadline: %v", err)
	}
}

func TestFailFast(t *testing.T) {
	t.Parallel()
	client := connected(t, "unix://"+filepath.Join(t.TempDir(), "s"), FailFast)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	if err := client.Ping(ctx).Err(); err == nil || time.Since(start) > 20*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

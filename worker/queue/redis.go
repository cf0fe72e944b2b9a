package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
)

// Purpose is what a client is for; the needs differ, so each process has one client per purpose.
type Purpose int

const (
	// ForAnswers fails fast: somebody waits for the answer.
	ForAnswers Purpose = iota
	// ForServer belongs to an asynq.Server alone: it outlasts an outage where a task's outcome is to be written.
	ForServer
)

// Connect is [Trust.Connect] without any trust of its own.
func Connect(url string, purpose Purpose) (redis.UniversalClient, error) {
	return Trust{}.Connect(url, purpose)
}

// Connect returns a client for a URL with the scheme redis, unix, redis-sentinel or redis-cluster, or with rediss in the
// place of redis for TLS. It opens no connection. The error names what is wrong with the URL, without its password.
func (trust Trust) Connect(url string, purpose Purpose) (redis.UniversalClient, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	if err := trust.check(t.tls); err != nil {
		return nil, err
	}
	t.DialTimeout = cmp.Or(t.DialTimeout, 2*time.Second)
	t.ReadTimeout = cmp.Or(t.ReadTimeout, 3*time.Second)
	t.WriteTimeout = cmp.Or(t.WriteTimeout, 3*time.Second)
	t.ContextTimeoutEnabled = true
	if t.tls {
		t.Dialer = trust.dial(t.DialTimeout, t.skipVerify)
	}
	client := redis.NewUniversalClient(&t.UniversalOptions)
	if purpose == ForServer {
		client.AddHook(settleHook{})
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.AddHook(followHook{cluster}) // behind settleHook: each of its attempts may find the new master
	}
	return client, nil
}

// redisError gives trouble on the way to Redis its code; other errors stay as they are.
func redisError(err error) error {
	if err == nil || !transport(err) {
		return err
	}
	return provision.Wrap(provision.CodeUnavailable, err, "Redis does not answer")
}

// transport reports whether err says that Redis could not be reached or cannot serve now, so that the same command may
// succeed later.
func transport(err error) bool {
	var netErr net.Error
	if errors.As(err, &netErr) || errors.Is(err, io.EOF) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	for _, word := range []string{"LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "OOM ", "MISCONF ", "NOREPLICAS ", "MOVED ", "ASK ", "cluster has no nodes", "connection refused", "i/o timeout", "EOF", "all sentinels"} {
		if strings.Contains(err.Error(), word) {
			return true
		}
	}
	return false
}

// settleHook retries commands that fail on the way, until their context's deadline. asynq writes the outcome of a task
// with the task's lease as deadline, and gives up after one try: a task that succeeded while Redis was away for two
// seconds would run again a minute later. Commands without a deadline (dequeue, heartbeat, pub/sub) pass through.
type settleHook struct{}

func (settleHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (settleHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (settleHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if _, limited := ctx.Deadline(); !limited {
			return err
		}
		for pause := 100 * time.Millisecond; err != nil && transport(err) && ctx.Err() == nil; pause = min(2*pause, time.Second) {
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

// followHook asks a Cluster who its masters are as soon as one does not answer. The client library by itself goes on
// asking the dead one until its next periodic look, which was seen to take up to a minute.
type followHook struct{ cluster *redis.ClusterClient }

func (followHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h followHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h.follow(ctx, next(ctx, cmd)) }
}

func (h followHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return h.follow(ctx, next(ctx, cmds)) }
}

// follow does not wait for the answer, and the client asks five times a second at most.
func (h followHook) follow(ctx context.Context, err error) error {
	if err != nil && transport(err) {
		h.cluster.ReloadState(ctx)
	}
	return err
}

// SharedClient lends a client to a part of asynq that wants to make its own.
type SharedClient struct{ redis.UniversalClient }

var _ asynq.RedisConnOpt = SharedClient{}

// MakeRedisClient returns the client itself. Whoever calls Close on it closes it for everybody.
func (s SharedClient) MakeRedisClient() any { return s.UniversalClient }

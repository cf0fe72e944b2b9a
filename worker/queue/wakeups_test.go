package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/worker/redisconn"
)

const anHour = time.Hour

// looks returns a function that asks a client with wakeups for a task of the queue, and returns how long it was kept.
func looks(w *Wakeups, queue string, err *error) func() time.Duration {
	ask := w.ProcessHook(func(context.Context, redis.Cmder) error { return *err })
	keys := "asynq:{" + queue + "}:"
	cmd := redis.NewCmd(context.Background(), "evalsha", "sha", 4, keys+"pending", keys+"paused", keys+"active", keys+"lease", 1, keys+"t:")
	return func() time.Duration {
		start := time.Now()
		_ = ask(context.Background(), cmd)
		return time.Since(start)
	}
}

func TestWakeups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, empty := NewWakeups(anHour), error(redis.Nil)
		look, other := looks(w, "provision.eu", &empty), looks(w, "delete", &empty)
		if kept := look(); kept != anHour {
			t.Errorf("an empty queue was looked into after %s", kept)
		}
		w.Enqueued("provision.eu")
		if kept := look(); kept != 0 {
			t.Errorf("a task that had come waited for %s", kept)
		}
		time.AfterFunc(time.Second, func() { w.Enqueued("provision.eu") })
		if kept := look(); kept != time.Second {
			t.Errorf("a task that came after a second was looked for after %s", kept)
		}
		if kept := other(); kept != anHour {
			t.Errorf("the server of another queue looked after %s", kept)
		}
		w.Stop()
		if kept := look(); kept != 0 {
			t.Errorf("a server that stops was kept for %s", kept)
		}
	})
}

func TestWakeupsTellOfATaskThatIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, empty := NewWakeups(anHour), error(redis.Nil)
		look := looks(w, "callback", &empty)
		for from, n := range map[string]int64{"retry": 2, "scheduled": 1} {
			cmd := redis.NewCmd(context.Background(), "evalsha", "sha", 2, "asynq:{callback}:"+from, "asynq:{callback}:pending", 1, "asynq:{callback}:t:", 2, "asynq:{callback}:g:")
			ask := w.ProcessHook(func(context.Context, redis.Cmder) error { cmd.SetVal(n); return nil })
			if err := ask(context.Background(), cmd); err != nil || look() != 0 {
				t.Errorf("%d tasks of %s waited: %v", n, from, err)
			}
			n = 0
			if err := ask(context.Background(), cmd); err != nil || look() != anHour {
				t.Errorf("the server looked although nothing of %s was due: %v", from, err)
			}
		}
	})
}

func TestWakeupsLookForAnAnnouncedTaskUntilItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, answer := NewWakeups(anHour), error(redis.Nil)
		look := looks(w, "provision", &answer)
		w.Announced("provision")
		w.Announced("provision")
		for range 3 {
			if kept := look(); kept != 0 {
				t.Errorf("an announced task was looked for after %s", kept)
			}
		}
		answer = nil
		look() // finds the first one
		answer = redis.Nil
		if kept := look(); kept != 0 {
			t.Errorf("the second was looked for after %s", kept)
		}
		answer = nil
		look()
		answer = redis.Nil
		look() // takes the signal, which is one for both
		if kept := look(); kept != anHour {
			t.Errorf("the queue was looked into again after %s", kept)
		}
		w.Announced("provision")
		look()
		time.Sleep(announcedFor)
		look() // takes the signal
		if kept := look(); kept != anHour {
			t.Errorf("a task that another worker has was looked for after %s", kept)
		}
	})
}

func TestWakeupsKeepNoOtherCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, away := NewWakeups(anHour), errors.New("connection refused")
		if kept := looks(w, "provision", &away)(); kept != 0 {
			t.Errorf("an outage was kept for %s", kept)
		}
		ask := w.ProcessHook(func(context.Context, redis.Cmder) error { return redis.Nil })
		start := time.Now()
		for _, args := range [][]any{{"get", "a"}, {"evalsha", "sha", 2, "asynq:{q}:retry", "asynq:{q}:pending", 1, 2}, {"evalsha", "sha", 1, "asynq:{q}:pending"}} {
			if err := ask(context.Background(), redis.NewCmd(context.Background(), args...)); err != redis.Nil || time.Since(start) != 0 {
				t.Errorf("%v: %v after %s", args, err, time.Since(start))
			}
		}
	})
}

// lookCounter counts the scripts that pass.
type lookCounter struct {
	*Wakeups
	n *atomic.Int64
}

func (c lookCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if _, does := asynqScript(cmd); does == dequeues {
			c.n.Add(1)
		}
		return next(ctx, cmd)
	}
}

// TestAnIdleServerIsWokenByTheTask runs asynq's own server: its commands are recognized, and so the server neither looks all the time nor sleeps on,
// at a first try or a second.
func TestAnIdleServerIsWokenByTheTask(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		client, err := redisconn.Connect(url, redisconn.RetryToDeadline, redisconn.TLSOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		w, looked := NewWakeups(anHour), atomic.Int64{}
		client.AddHook(lookCounter{w, &looked})
		client.AddHook(w)
		handled := make(chan struct{}, 10)
		server := asynq.NewServerFromRedisClient(client, asynq.Config{Queues: map[string]int{QueueProvision: 1}, Concurrency: 5, TaskCheckInterval: LookEvery, LogLevel: asynq.FatalLevel,
			DelayedTaskCheckInterval: time.Second, RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 }})
		handle := func(ctx context.Context, _ *asynq.Task) error {
			if tries, _ := asynq.GetRetryCount(ctx); tries == 0 {
				return errors.New("once more")
			}
			handled <- struct{}{}
			return nil
		}
		if err := server.Start(asynq.HandlerFunc(handle)); err != nil {
			t.Fatal(err)
		}
		defer server.Shutdown()
		defer w.Stop()
		tasks := NewTasks(client)
		tasks.Enqueued = w.Enqueued
		for generation := range int64(2) {
			task := aTask
			task.Generation += generation
			if err := tasks.Enqueue(t.Context(), task); err != nil {
				t.Fatal(err)
			}
			select {
			case <-handled:
			case <-time.After(10 * time.Second):
				t.Fatal("the server slept on")
			}
		}
		if n := looked.Load(); n < 4 || n > 30 {
			t.Errorf("it looked into its queue %d times for two tasks of two tries", n)
		}
	})
}

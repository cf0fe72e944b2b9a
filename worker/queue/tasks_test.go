package queue

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

var (
	aTask     = Task{Op: provision.OpProvision, StoreID: "a-1", Generation: 1_790_000_000_001, Cluster: provision.DefaultCluster}
	aCallback = CallbackTask{StoreID: "a-1", Generation: 1_790_000_000_001, Sequence: 7, Cluster: provision.DefaultCluster}
)

func (b *bench) enqueue(task Task) {
	b.Helper()
	if err := b.tasks.Enqueue(b.ctx, task); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) revive(task Task, soon bool) {
	b.Helper()
	if err := b.tasks.Revive(b.ctx, task, soon); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) info(queue, id string) *asynq.TaskInfo {
	b.Helper()
	info, err := b.tasks.inspector.GetTaskInfo(queue, id)
	return must(b, info, err)
}

func (b *bench) wantState(task Task, want asynq.TaskState) {
	b.Helper()
	if got := b.info(task.Queue(), task.ID()).State; got != want {
		b.Errorf("task %s is %s, want %s", task.ID(), got, want)
	}
}

// serve handles one queue until n tasks were handled, and writes down their outcomes.
func (b *bench) serve(queue string, n int, handle func(context.Context, *asynq.Task) error) {
	b.Helper()
	handled := make(chan struct{}, 100)
	server := asynq.NewServerFromRedisClient(b.redis, asynq.Config{Queues: map[string]int{queue: 1}, Concurrency: 1,
		TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour }})
	if err := server.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		defer func() { handled <- struct{}{} }()
		return handle(ctx, t)
	})); err != nil {
		b.Fatal(err)
	}
	defer server.Shutdown()
	for range n {
		select {
		case <-handled:
		case <-time.After(20 * time.Second):
			b.Fatal("a task was not handled")
		}
	}
}

func fails(context.Context, *asynq.Task) error    { return errors.New("not now") }
func succeeds(context.Context, *asynq.Task) error { return nil }

func TestEnqueueMakesTheTasksOfTheContract(t *testing.T) {
	each(t, func(b *bench) {
		del := Task{provision.OpDelete, "b", 5, provision.DefaultCluster}
		for range 2 { // a task that exists already is success
			b.enqueue(aTask)
			b.enqueue(del)
			if err := b.tasks.EnqueueCallback(b.ctx, aCallback); err != nil {
				b.Fatal(err)
			}
		}
		for _, want := range []struct{ queue, id, kind, payload string }{
			{"provision", "1790000000001.a-1", "store:provision", `{"store_id":"a-1","generation":1790000000001}`},
			{"delete", "5.b", "store:delete", `{"store_id":"b","generation":5}`},
			{"callback", "1790000000001.7.a-1", "store:callback", `{"store_id":"a-1","generation":1790000000001,"sequence":7}`},
		} {
			info := b.info(want.queue, want.id)
			if info.Type != want.kind || string(info.Payload) != want.payload || info.State != asynq.TaskStatePending ||
				info.MaxRetry != maxRetry || info.Timeout != TaskTimeout || info.Retention != retention {
				b.Errorf("task %s is %+v", want.id, info)
			}
			if q, err := b.tasks.inspector.GetQueueInfo(want.queue); err != nil || q.Size != 1 {
				b.Errorf("queue %s has %+v, %v", want.queue, q, err)
			}
		}
	})
}

func TestParseTask(t *testing.T) {
	each(t, func(b *bench) {
		del := Task{provision.OpDelete, "b", 5, provision.DefaultCluster}
		b.enqueue(aTask)
		b.enqueue(del)
		for _, want := range []Task{aTask, del} {
			info := b.info(want.Queue(), want.ID())
			if got, err := ParseTask(asynq.NewTask(info.Type, info.Payload), provision.DefaultCluster); err != nil || got != want {
				b.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
		if err := b.tasks.EnqueueCallback(b.ctx, aCallback); err != nil {
			b.Fatal(err)
		}
		info := b.info(QueueCallback, aCallback.ID())
		if got, err := ParseCallbackTask(asynq.NewTask(info.Type, info.Payload), provision.DefaultCluster); err != nil || got != aCallback {
			b.Errorf("got %+v, %v; want %+v", got, err, aCallback)
		}
	})
}

func TestParseTaskRefusesForeignTasks(t *testing.T) {
	for _, payload := range []string{"", "null", "{}", "[]", `{"store_id":"a"}`, `{"generation":1}`, `{"store_id":"a","generation":0}`,
		`{"store_id":"a","generation":-1}`, `{"store_id":"a","generation":"1"}`, `{"store_id":"a","generation":1e30}`, "\xff"} {
		if task, err := ParseTask(asynq.NewTask(TypeOf(QueueProvision), []byte(payload)), provision.DefaultCluster); err == nil {
			t.Errorf("%q parses as %+v", payload, task)
		}
	}
	for _, kind := range []string{"", "store:", "provision", "store:callback", "store:provision:delete"} {
		if task, err := ParseTask(asynq.NewTask(kind, []byte(`{"store_id":"a","generation":1}`)), provision.DefaultCluster); err == nil {
			t.Errorf("a task of type %q parses as %+v", kind, task)
		}
	}
	for _, payload := range []string{"", "null", "{}", `{"generation":1,"sequence":1}`} {
		if task, err := ParseCallbackTask(asynq.NewTask(TypeOf(QueueCallback), []byte(payload)), provision.DefaultCluster); err == nil {
			t.Errorf("%q parses as %+v", payload, task)
		}
	}
}

func TestReviveMakesATaskRun(t *testing.T) {
	each(t, func(b *bench) {
		b.revive(aTask, false)
		b.wantState(aTask, asynq.TaskStatePending) // it was missing
		b.revive(aTask, true)
		b.wantState(aTask, asynq.TaskStatePending) // it is there

		b.serve(QueueProvision, 1, fails)
		b.revive(aTask, false)
		b.wantState(aTask, asynq.TaskStateRetry) // it waits for its time
		b.revive(aTask, true)
		b.wantState(aTask, asynq.TaskStatePending)

		if err := b.tasks.inspector.ArchiveTask(QueueProvision, aTask.ID()); err != nil {
			b.Fatal(err)
		}
		b.revive(aTask, false)
		b.wantState(aTask, asynq.TaskStatePending)

		b.serve(QueueProvision, 1, succeeds)
		b.wantState(aTask, asynq.TaskStateCompleted)
		b.revive(aTask, false)
		b.wantState(aTask, asynq.TaskStatePending)
		if got := b.redis.LRange(b.ctx, "asynq:{provision}:pending", 0, -1).Val(); !slices.Equal(got, []string{aTask.ID()}) {
			b.Errorf("pending are %v", got)
		}
	})
}

func TestReviveCallback(t *testing.T) {
	each(t, func(b *bench) {
		revive := func(want asynq.TaskState) {
			b.Helper()
			if err := b.tasks.ReviveCallback(b.ctx, aCallback, false); err != nil {
				b.Fatal(err)
			}
			if got := b.info(QueueCallback, aCallback.ID()).State; got != want {
				b.Errorf("the delivery is %s, want %s", got, want)
			}
		}
		revive(asynq.TaskStatePending)
		b.serve(QueueCallback, 1, fails)
		revive(asynq.TaskStateRetry)
		if err := b.tasks.inspector.ArchiveTask(QueueCallback, aCallback.ID()); err != nil {
			b.Fatal(err)
		}
		revive(asynq.TaskStatePending)
	})
}

func TestReviveLeavesARunningTaskAlone(t *testing.T) {
	each(t, func(b *bench) {
		b.enqueue(aTask)
		b.serve(QueueProvision, 1, func(context.Context, *asynq.Task) error {
			b.wantState(aTask, asynq.TaskStateActive)
			return b.tasks.Revive(b.ctx, aTask, true)
		})
		b.wantState(aTask, asynq.TaskStateCompleted)
	})
}

// The client remembers which queues it has announced: after a loss of data it does not do so again, and asynq's inspector
// denies that the queue exists.
func TestReviveAfterALossOfData(t *testing.T) {
	each(t, func(b *bench) {
		b.enqueue(aTask)
		b.flush()
		b.revive(aTask, false)
		b.wantState(aTask, asynq.TaskStatePending)
		if err := b.tasks.inspector.ArchiveTask(QueueProvision, aTask.ID()); err != nil {
			b.Fatal(err)
		}
		b.revive(aTask, false)
		b.wantState(aTask, asynq.TaskStatePending)
	})
}

const activeKey, leaseKey = "asynq:{provision}:active", "asynq:{provision}:lease"

// seize takes the oldest pending task as a worker does that then dies (asynq's internal/rdb: dequeueCmd). until is the
// end of its asynq lease.
func (b *bench) seize(until time.Time) string {
	b.Helper()
	id, err := b.redis.RPopLPush(b.ctx, "asynq:{provision}:pending", activeKey).Result()
	must(b, id, err)
	b.redis.HSet(b.ctx, "asynq:{provision}:t:"+id, "state", "active")
	b.redis.HDel(b.ctx, "asynq:{provision}:t:"+id, "pending_since")
	b.redis.ZAdd(b.ctx, leaseKey, redis.Z{Score: float64(until.Unix()), Member: id})
	return id
}

func TestRequeueOrphansOfDeadWorkers(t *testing.T) {
	each(t, func(b *bench) {
		task := func(gen int64) Task { return Task{provision.OpProvision, "a", gen, provision.DefaultCluster} }
		for gen := int64(1); gen <= 5; gen++ {
			b.enqueue(task(gen))
		}
		b.seize(time.Now().Add(-6 * time.Minute)) // its worker is dead
		b.seize(time.Now().Add(20 * time.Second)) // its worker lives
		lost := b.seize(time.Now())
		b.redis.ZRem(b.ctx, leaseKey, lost) // its lease was lost
		ghost := b.seize(time.Now().Add(-time.Hour))
		b.redis.Del(b.ctx, "asynq:{provision}:t:"+ghost) // its task was lost

		ids, err := b.tasks.RequeueOrphans(b.ctx, QueueProvision)
		slices.Sort(must(b, ids, err))
		if diff := cmp.Diff([]string{task(1).ID(), task(3).ID()}, ids); diff != "" {
			b.Error(diff)
		}
		if diff := cmp.Diff([]string{task(2).ID()}, b.redis.LRange(b.ctx, activeKey, 0, -1).Val()); diff != "" {
			b.Error("active: ", diff)
		}
		if diff := cmp.Diff([]string{task(2).ID()}, b.redis.ZRange(b.ctx, leaseKey, 0, -1).Val()); diff != "" {
			b.Error("leased: ", diff)
		}
		var order []string
		b.serve(QueueProvision, 3, func(ctx context.Context, _ *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			order = append(order, id)
			return nil
		})
		if len(order) != 3 || order[2] != task(5).ID() {
			b.Errorf("served in the order %v: what was begun comes first", order)
		}
		if ids, err := b.tasks.RequeueOrphans(b.ctx, QueueProvision); err != nil || len(ids) != 0 {
			b.Errorf("requeued again: %v, %v", ids, err)
		}
		if ids, err := b.tasks.RequeueOrphans(b.ctx, QueueDelete); err != nil || len(ids) != 0 {
			b.Errorf("requeued from an empty queue: %v, %v", ids, err)
		}
	})
}

// A sweeper whose clock is ahead must not take the tasks of living workers away: the lease is judged by Redis' clock.
func TestRequeueOrphansByTheClockOfRedis(t *testing.T) {
	m := redistest.MiniServer(t)
	b := newBench(t, redistest.URL(m), redisconn.FailFast)
	b.enqueue(aTask)
	m.SetTime(time.Now().Add(-time.Hour))
	b.seize(time.Now().Add(-time.Hour).Add(20 * time.Second))
	if ids, err := b.tasks.RequeueOrphans(b.ctx, QueueProvision); err != nil || len(ids) != 0 {
		t.Errorf("requeued %v, %v", ids, err)
	}
	m.SetTime(time.Now().Add(time.Minute))
	if ids, err := b.tasks.RequeueOrphans(b.ctx, QueueProvision); err != nil || len(ids) != 1 {
		t.Errorf("requeued %v, %v", ids, err)
	}
}

func TestRetryToDeadlineRunsATaskThatEndsDuringAnOutageOnce(t *testing.T) {
	t.Parallel()
	redisServer := redistest.Durable(t)
	b := newBench(t, redisServer.URL, redisconn.FailFast)
	client := newBench(t, redisServer.URL, redisconn.RetryToDeadline).redis
	count := redistest.CountFailures(client)
	b.enqueue(aTask)
	began, release, runs := make(chan struct{}, 10), make(chan struct{}), 0
	server := asynq.NewServerFromRedisClient(client, asynq.Config{Queues: map[string]int{QueueProvision: 1}, Concurrency: 1,
		TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		runs++
		began <- struct{}{}
		<-release
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	<-began
	redisServer.Kill()
	close(release)
	count.Await(t, 2) // asynq tried to write the outcome, and without the hook would have given up
	redisServer.Start()
	for deadline := time.Now().Add(20 * time.Second); b.info(QueueProvision, aTask.ID()).State != asynq.TaskStateCompleted; {
		if time.Now().After(deadline) {
			t.Fatal("the outcome was not written")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if runs != 1 {
		t.Errorf("the task ran %d times", runs)
	}
}

// A worker whose clock is 45 s behind extends leases that have always expired by Redis' clock; one whose clock is ahead leaves leases
// that expire late.
func TestRequeueOrphansOfWorkersWhoseClocksDiffer(t *testing.T) {
	m := redistest.MiniServer(t)
	b := newBench(t, redistest.URL(m), redisconn.FailFast)
	start := time.Now()
	for _, skew := range []time.Duration{-45 * time.Second, 0, 45 * time.Second} {
		b.enqueue(aTask)
		at := start
		id := b.seize(at.Add(skew + 30*time.Second))
		requeued := func() bool {
			m.SetTime(at)
			ids, err := b.tasks.RequeueOrphans(b.ctx, QueueProvision)
			return len(must(b, ids, err)) > 0
		}
		for range 24 { // two minutes in which the worker lives
			if requeued() {
				t.Errorf("skew %s: its task is taken away after %s", skew, at.Sub(start))
			}
			at = at.Add(5 * time.Second)
			b.redis.ZAdd(b.ctx, leaseKey, redis.Z{Score: float64(at.Add(skew + 30*time.Second).Unix()), Member: id})
		}
		died := at
		for !requeued() && at.Sub(died) < 10*time.Minute {
			at = at.Add(5 * time.Second)
		}
		if took := at.Sub(died); took > time.Minute || took < 15*time.Second {
			t.Errorf("skew %s: the task of a dead worker is taken after %s", skew, took)
		}
		b.flush()
	}
}

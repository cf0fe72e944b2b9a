package intake_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/intake"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/redisconn"
)

type testOfIntake func(t *testing.T, client redis.UniversalClient, records *record.Records, in *intake.Intake)

// each runs a test on every kind of Redis, whose records are complete.
func each(t *testing.T, test testOfIntake) {
	eachNew(t, func(t *testing.T, client redis.UniversalClient, records *record.Records, in *intake.Intake) {
		if err := records.Recovery.MarkComplete(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, client, records, in)
	})
}

// eachNew runs a test on every kind of Redis, which no worker has seen yet.
func eachNew(t *testing.T, test testOfIntake) {
	redistest.Each(t, func(t *testing.T, url string) {
		client, err := redisconn.Connect(url, redisconn.FailFast, redisconn.TLSOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		records := record.New(client, record.Options{})
		test(t, client, records, &intake.Intake{Records: records, Tasks: queue.NewTasks(client), GenerationTimeout: time.Hour, Log: slog.New(slog.DiscardHandler)})
	})
}

var shop = provision.Request{StoreID: "a", Action: provision.OpProvision, Name: "a", Engine: "medusa", Namespace: "a", Host: "a.example.com", StoreURL: "https://a.example.com"}

func TestAcceptEnqueuesTheTask(t *testing.T) {
	each(t, func(t *testing.T, client redis.UniversalClient, records *record.Records, in *intake.Intake) {
		accepted, err := in.Accept(t.Context(), shop)
		if err != nil {
			t.Fatal(err)
		}
		if state := client.HGet(t.Context(), "asynq:{provision}:t:"+accepted.TaskID, "state").Val(); state != "pending" {
			t.Errorf("its task is %q", state)
		}
	})
}

func TestReplayRevivesTheDelivery(t *testing.T) {
	each(t, func(t *testing.T, client redis.UniversalClient, records *record.Records, in *intake.Intake) {
		ctx := t.Context()
		accepted, err := in.Accept(ctx, shop)
		if err != nil {
			t.Fatal(err)
		}
		task := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: accepted.Generation, Cluster: provision.DefaultCluster}
		_, run, err := records.Runs.Acquire(ctx, task, "run", time.Minute, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := records.Runs.RecordOutcome(ctx, run, provision.StatusReady, "", ""); err != nil {
			t.Fatal(err)
		}
		_, dead, err := records.Callbacks.Claim(ctx, "a", "delivery", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := records.Callbacks.KeepDeadLetter(ctx, dead, "400", false); err != nil {
			t.Fatal(err)
		}
		if got, err := in.Replay(ctx, dead.ID()); err != nil || got != provision.ReplayQueued {
			t.Fatal(got, err)
		}
		if state := client.HGet(ctx, "asynq:{callback}:t:"+dead.ID(), "state").Val(); state != "pending" {
			t.Errorf("its task is %q", state)
		}
		got, err := in.Replay(ctx, "1.1.unknown")
		if err != nil || got != provision.ReplayUnknown || client.Exists(ctx, "asynq:{callback}:t:1.1.unknown").Val() != 0 {
			t.Errorf("an unknown dead letter: %s, %v, or it has a task", got, err)
		}
	})
}

// TestAcceptHoldsARequestUntilTheRecordsAreComplete posts to a Redis that no worker has seen yet.
func TestAcceptHoldsARequestUntilTheRecordsAreComplete(t *testing.T) {
	eachNew(t, func(t *testing.T, _ redis.UniversalClient, records *record.Records, in *intake.Intake) {
		short, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		if _, err := in.Accept(short, shop); !record.Incomplete(err) || short.Err() != nil {
			t.Errorf("without a worker: %v, want that the records are incomplete, before the deadline", err)
		}

		long, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { _, err := in.Accept(long, shop); done <- err }()
		if err := records.Recovery.MarkComplete(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("once the records are complete: %v", err)
		}
	})
}

// taskState is the state of a task in asynq.
func taskState(t *testing.T, client redis.UniversalClient, queueName, id string) string {
	t.Helper()
	return client.HGet(t.Context(), "asynq:{"+queueName+"}:t:"+id, "state").Val()
}

func TestRetryAndCancelEnqueueTheirTasks(t *testing.T) {
	each(t, func(t *testing.T, client redis.UniversalClient, _ *record.Records, in *intake.Intake) {
		ctx := t.Context()
		if _, found, err := in.Retry(ctx, "a", 0, nil); found || err != nil {
			t.Fatalf("an unknown store: found %t, %v", found, err)
		}
		first, err := in.Accept(ctx, shop)
		if err != nil {
			t.Fatal(err)
		}
		cancelled, found, err := in.Cancel(ctx, "a", first.Generation)
		if err != nil || !found || cancelled.Status != provision.StatusFailed {
			t.Fatalf("cancel: %+v, found %t, %v", cancelled, found, err)
		}
		told := queue.CallbackTask{StoreID: "a", Generation: first.Generation, Sequence: 1, Cluster: provision.DefaultCluster}
		if state := taskState(t, client, told.Queue(), told.ID()); state != "pending" {
			t.Errorf("the task of the callback is %q", state)
		}
		again, found, err := in.Retry(ctx, "a", 0, []provision.Force{provision.ForceApply})
		if err != nil || !found || again.Joined || again.Generation <= first.Generation || again.Action != provision.OpProvision {
			t.Fatalf("retry: %+v, found %t, %v", again, found, err)
		}
		if state := taskState(t, client, queue.QueueProvision, again.TaskID); state != "pending" {
			t.Errorf("the task of the retry is %q", state)
		}
	})
}

// TestRetryTriesAWaitingRunNow: an operator who has mended something does not wait for the backoff.
func TestRetryTriesAWaitingRunNow(t *testing.T) {
	each(t, func(t *testing.T, client redis.UniversalClient, _ *record.Records, in *intake.Intake) {
		accepted, err := in.Accept(t.Context(), shop)
		if err != nil {
			t.Fatal(err)
		}
		const base = "asynq:{provision}:"
		client.LRem(t.Context(), base+"pending", 0, accepted.TaskID)
		client.ZAdd(t.Context(), base+"retry", redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: accepted.TaskID})
		client.HSet(t.Context(), base+"t:"+accepted.TaskID, "state", "retry")
		again, _, err := in.Retry(t.Context(), "a", 0, nil)
		if err != nil || !again.Joined {
			t.Fatalf("%+v, %v", again, err)
		}
		if state := taskState(t, client, queue.QueueProvision, accepted.TaskID); state != "pending" {
			t.Errorf("its task is %q", state)
		}
	})
}

// Package bare does with asynq alone what ingest does with it: it enqueues tasks, and decides nothing. What ingest takes longer is its own.
package bare

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/testkit/bench/stores"
)

// queue is none that a worker serves, so that the tasks stay.
const queue = "bench"

// Main is the process `bench enqueue`: it enqueues n tasks on the Redis behind a unix socket, some at a time, and prints how many a second.
func Main(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("enqueue", flag.ContinueOnError)
	socket := flags.String("socket", "", "the unix socket of Redis")
	prefix := flags.String("prefix", "bare-", "what the ids of the tasks begin with")
	n := flags.Int("n", 2000, "how many tasks")
	callers := flags.Int("c", 16, "how many at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client := asynq.NewClient(asynq.RedisClientOpt{Network: "unix", Addr: *socket})
	defer client.Close()
	begun := time.Now()
	if err := enqueue(ctx, client, *prefix, *n, *callers); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, float64(*n)/time.Since(begun).Seconds())
	return err
}

func enqueue(ctx context.Context, client *asynq.Client, prefix string, n, callers int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callers)
	for i := range n {
		group.Go(func() error {
			id := stores.ID(prefix, i)
			payload, err := json.Marshal(stores.Request(id))
			if err != nil {
				return err
			}
			task := asynq.NewTask("bench:provision", payload, asynq.Queue(queue), asynq.TaskID(id), asynq.MaxRetry(1000), asynq.Timeout(time.Hour), asynq.Retention(24*time.Hour))
			if _, err := client.EnqueueContext(ctx, task); err != nil {
				return fmt.Errorf("enqueue task %s: %w", id, err)
			}
			return nil
		})
	}
	return group.Wait()
}

package queue

import (
	"context"

	"orchestrator/worker/redisconn"

	_ "embed"

	"github.com/redis/go-redis/v9"
)

//go:embed requeue_orphans.lua
var requeueOrphansText string

var requeueOrphansScript = redis.NewScript(requeueOrphansText)

// RequeueOrphans moves the active tasks of dead workers back to pending and returns their ids. asynq does so itself, up to a
// minute later. Workers whose clocks differ keep their tasks.
func (t *Tasks) RequeueOrphans(ctx context.Context, queue string) ([]string, error) {
	base := keyPrefix(queue)
	ids, err := requeueOrphansScript.Run(ctx, t.redis, []string{base + "active", base + "pending", base + "lease", base + "orch-leases-seen"}, base+"t:").StringSlice()
	return ids, redisconn.WrapError(err)
}

// keyPrefix begins asynq's keys of a queue; they are one slot on Redis Cluster.
func keyPrefix(queue string) string { return "asynq:{" + queue + "}:" }

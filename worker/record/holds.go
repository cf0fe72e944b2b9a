package record

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// When the stores of several creators have failed for one cause that is the installation's, the others of the same engine and cluster wait
// ([Options.HoldAfter]): lib_holds.lua counts the failures where an outcome is recorded, and holds the runs where they ask for the lease.

// waitingFor is how long a store that was told to wait counts as waiting: it asks again sooner.
const waitingFor = 3 * time.Minute

// Holds returns what waits, and for which cause, in the order of clusters and engines.
func (r *Fleet) Holds(ctx context.Context) ([]provision.Hold, error) {
	kept, err := r.redis.HGetAll(ctx, keyHolds).Result()
	if err != nil {
		return nil, redisconn.WrapError(err)
	}
	holds := []provision.Hold{}
	for field, text := range kept {
		var k struct {
			provision.Hold
			Since   string `json:"since"`
			ProbeAt string `json:"probe_at"`
		}
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			return nil, fmt.Errorf("hold %s does not parse: %w", field, err)
		}
		k.Hold.Since, k.Hold.ProbeAt = millis(number(k.Since)).time(), millis(number(k.ProbeAt)).time()
		holds = append(holds, k.Hold)
	}
	slices.SortFunc(holds, func(a, b provision.Hold) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Engine, b.Engine))
	})
	return holds, r.countWaiting(ctx, holds)
}

func (r *Fleet) countWaiting(ctx context.Context, holds []provision.Hold) error {
	since := strconv.FormatInt(time.Now().Add(-waitingFor).UnixMilli(), 10)
	counts := make([]*redis.IntCmd, len(holds))
	_, err := r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, h := range holds {
			counts[i] = p.ZCount(ctx, keyWaitingStores(h.Cluster, h.Engine), since, "+inf")
		}
		return nil
	})
	for i := range counts {
		holds[i].Stores = counts[i].Val()
	}
	return redisconn.WrapError(err)
}

// ReleaseHold lets the stores of an engine on a cluster go on, within seconds, and forgets what they have failed for. found is false where they
// do not wait.
func (r *Fleet) ReleaseHold(ctx context.Context, cluster, engine string) (found bool, err error) {
	found, err = releaseHoldScript.Run(ctx, r.redis, []string{keyHolds}, cluster, engine).Bool()
	return found, redisconn.WrapError(err)
}

// onHold reports whether the provisions of an engine on a cluster wait.
func (c client) onHold(ctx context.Context, cluster, engine string) (bool, error) {
	held, err := c.redis.HExists(ctx, keyHolds, cluster+":"+engine).Result()
	return held, redisconn.WrapError(err)
}

package record

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// errUncounted means that the stores of creators were not counted yet: the records are older than the count, or Redis was lost.
var errUncounted = errors.New("the stores of creators were not counted yet")

// countCreators counts the stores of all creators.
func (c client) countCreators(ctx context.Context) error {
	return c.indexStores(ctx, keyCreatorsCounted)
}

// indexStores puts all stores into the indexes, if the key does not say that this was done. It is done once for a Redis; any number of processes may do it at the
// same time.
func (c client) indexStores(ctx context.Context, position string) error {
	const look = 1000
	for done := false; !done; {
		var err error
		if done, err = indexStoresScript.Run(ctx, c.redis, []string{position, keyStores}, look).Bool(); err != nil {
			return redisconn.WrapError(err)
		}
	}
	return nil
}

// Quota returns how many stores a creator has, and how many it may have.
func (r *Fleet) Quota(ctx context.Context, creator string) (provision.Quota, error) {
	if err := r.countCreators(ctx); err != nil {
		return provision.Quota{}, err
	}
	var stores *redis.IntCmd
	var own *redis.StringCmd
	_, err := r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		stores, own = p.SCard(ctx, keyCreatorStores(creator)), p.HGet(ctx, keyQuotas, creator)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return provision.Quota{}, redisconn.WrapError(err)
	}
	q := provision.Quota{CreatorID: creator, Stores: stores.Val(), Most: int64(r.storesPerCreator)}
	if n, err := strconv.ParseInt(own.Val(), 10, 64); err == nil {
		q.Most, q.Own = n, true
	}
	return q, nil
}

// SetQuota sets how many stores a creator may have; nil sets what holds for all. It ends none of them.
func (r *Fleet) SetQuota(ctx context.Context, creator string, most *int64) error {
	if most == nil {
		return redisconn.WrapError(r.redis.HDel(ctx, keyQuotas, creator).Err())
	}
	return redisconn.WrapError(r.redis.HSet(ctx, keyQuotas, creator, *most).Err())
}

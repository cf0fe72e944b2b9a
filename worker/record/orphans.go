package record

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

func keyOrphansOf(kind provision.OrphanKind) string { return keyOrphans + string(kind) }

// Orphans returns up to limit orphans of a kind, the latest first, without their steps. cursor is Next of the page before, or "". An error of code
// invalid means that no page returned this cursor.
func (r *Requests) Orphans(ctx context.Context, kind provision.OrphanKind, cursor string, limit int) (provision.Orphans, error) {
	page := provision.Orphans{Orphans: []provision.Orphan{}}
	rows, next, err := r.latest(ctx, keyOrphansOf(kind), cursor, limit)
	if err != nil {
		return page, err
	}
	ids, since := make([]string, len(rows)), map[string]time.Time{}
	for i, row := range rows {
		ids[i], _ = row.Member.(string)
		since[ids[i]] = time.UnixMicro(int64(row.Score)).UTC()
	}
	states, err := r.states(ctx, ids, 0)
	if err != nil {
		return page, err
	}
	page.Next = next
	for _, state := range states {
		page.Orphans = append(page.Orphans, provision.Orphan{Kind: kind, Since: since[state.StoreID], Store: state})
	}
	return page, nil
}

// CountOrphans returns how many orphans of each kind there are.
func (r *Requests) CountOrphans(ctx context.Context) (map[provision.OrphanKind]int64, error) {
	return countKinds(ctx, r.client, keyOrphans, provision.OrphanKinds)
}

// countKinds returns how many stores the index of each kind holds.
func countKinds[K ~string](ctx context.Context, c client, index string, kinds []K) (map[K]int64, error) {
	counts := map[K]*redis.IntCmd{}
	_, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, kind := range kinds {
			counts[kind] = p.ZCard(ctx, index+string(kind))
		}
		return nil
	})
	if err != nil {
		return nil, redisconn.WrapError(err)
	}
	all := map[K]int64{}
	for kind, n := range counts {
		all[kind] = n.Val()
	}
	return all, nil
}

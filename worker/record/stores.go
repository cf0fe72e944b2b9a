package record

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// Store returns what is known about a store, with its latest steps. ok is false where there is no record; while the records are
// incomplete ([Incomplete]) that is an error of code unavailable instead.
func (r *Requests) Store(ctx context.Context, id string) (state provision.State, ok bool, err error) {
	states, err := r.states(ctx, []string{id}, journalLength)
	if err == nil && len(states) == 0 {
		err = r.complete(ctx)
	}
	if err != nil || len(states) == 0 {
		return provision.State{}, false, err
	}
	return states[0], true, nil
}

// Where records have expired, one call reads over up to expiredPages pages of expiredPage ids. It drops them: the next call gets further.
const (
	expiredPages = 20
	expiredPage  = 100
)

// Stores returns up to limit stores, the newest accepted first, without their steps. cursor is Next of the page before, or
// "". An error of code invalid means that no page returned this cursor. A page is empty only at the end, or where thousands of
// records in a row have expired.
func (r *Requests) Stores(ctx context.Context, cursor string, limit int) (provision.Page, error) {
	limit = max(limit, 1)
	page, read := provision.Page{Stores: []provision.State{}, Next: cursor}, limit
	for range expiredPages {
		stores, next, err := r.storesBefore(ctx, page.Next, read, limit-len(page.Stores))
		if err != nil {
			return provision.Page{}, err
		}
		page.Stores, page.Next = append(page.Stores, stores...), next
		if next == "" || len(page.Stores) == limit {
			break
		}
		read = max(limit, expiredPage)
	}
	return page, nil
}

// storesBefore reads some ids, drops those whose record has expired, and returns up to limit stores and the cursor of the rest.
func (r *Requests) storesBefore(ctx context.Context, cursor string, read, limit int) ([]provision.State, string, error) {
	rows, next, err := r.latest(ctx, keyStores, cursor, read)
	if err != nil {
		return nil, "", err
	}
	ids := idsOf(rows)
	stores, err := r.states(ctx, ids, 0)
	if err == nil && len(stores) < len(ids) {
		err = r.dropExpired(ctx, ids)
	}
	if len(stores) > limit {
		stores = stores[:limit]
		last := slices.Index(ids, stores[limit-1].StoreID)
		next = cursorAfter(rows[last])
	}
	return stores, next, err
}

// dropExpired drops the stores whose record has expired from the list. Redis expires a record alone.
func (r *Requests) dropExpired(ctx context.Context, ids []string) error {
	keys, args := []string{keyStores}, make([]any, len(ids))
	for i, id := range ids {
		keys, args[i] = append(keys, keyStore(id)), id
	}
	return redisconn.WrapError(dropExpiredScript.Run(ctx, r.redis, keys, args...).Err())
}

// states reads records in one round trip, skipping those that are gone. With a journal, each has its latest steps and its whole request.
func (c client) states(ctx context.Context, ids []string, journal int64) ([]provision.State, error) {
	type row struct {
		record  *redis.MapStringStringCmd
		running *redis.IntCmd
		pending *redis.IntCmd
		steps   *redis.XMessageSliceCmd
	}
	rows := make([]row, len(ids))
	_, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			rows[i] = row{record: p.HGetAll(ctx, keyStore(id)), running: p.Exists(ctx, keyRunLease(id)), pending: p.HLen(ctx, keyCallbacks(id))}
			if journal > 0 {
				rows[i].steps = p.XRevRangeN(ctx, keyJournal(id), "+", "-", journal)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, redisconn.WrapError(err)
	}
	states := make([]provision.State, 0, len(ids))
	for i, id := range ids {
		if len(rows[i].record.Val()) == 0 {
			continue
		}
		record, err := readRecord(rows[i].record)
		if err != nil {
			return nil, err
		}
		state := record.state(id)
		state.Running, state.PendingCallbacks = rows[i].running.Val() > 0, int(rows[i].pending.Val())
		if rows[i].steps != nil {
			state.Steps, state.Request = steps(rows[i].steps.Val()), record.request()
		}
		states = append(states, state)
	}
	return states, nil
}

// latest returns up to limit members of an index, the one with the highest score first, and the cursor of the rest.
func (c client) latest(ctx context.Context, index, cursor string, limit int) (rows []redis.Z, next string, err error) {
	before, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	limit = max(limit, 1)
	rows, err = c.redis.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
		Key: index, ByScore: true, Rev: true, Start: before, Stop: "-inf", Count: int64(limit + 1),
	}).Result()
	if len(rows) > limit {
		rows = rows[:limit]
		next = cursorAfter(rows[limit-1])
	}
	return rows, next, redisconn.WrapError(err)
}

// idsOf are the members of a page of an index.
func idsOf(rows []redis.Z) []string {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i], _ = row.Member.(string)
	}
	return ids
}

func cursorAfter(row redis.Z) string { return strconv.FormatFloat(row.Score, 'f', 0, 64) }

// parseCursor returns the score below which a page begins.
func parseCursor(cursor string) (string, error) {
	if cursor == "" {
		return "+inf", nil
	}
	if _, err := strconv.ParseInt(cursor, 10, 64); err != nil {
		return "", provision.Errorf(provision.CodeInvalid, "cursor must be one that a page returned as next")
	}
	return "(" + cursor, nil
}

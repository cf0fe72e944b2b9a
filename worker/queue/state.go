package queue

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
)

// Store returns what is known about a store, with its latest steps. ok is false where there is no record.
func (r *Records) Store(ctx context.Context, id string) (state provision.State, ok bool, err error) {
	states, err := r.states(ctx, []string{id}, journalLength)
	if err != nil || len(states) == 0 {
		return provision.State{}, false, err
	}
	return states[0], true, nil
}

// Stores returns up to limit stores, newest accepted first, without their steps. cursor is Next of the page before, or
// "". An error of code invalid means that the cursor is none.
func (r *Records) Stores(ctx context.Context, cursor string, limit int) (provision.Page, error) {
	rows, next, err := r.latest(ctx, keyStores, cursor, limit)
	if err != nil {
		return provision.Page{}, err
	}
	page := provision.Page{Next: next}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i], _ = row.Member.(string)
	}
	if page.Stores, err = r.states(ctx, ids, 0); err != nil {
		return provision.Page{}, err
	}
	if len(page.Stores) < len(ids) {
		return page, r.forget(ctx, ids)
	}
	return page, nil
}

// latest returns up to limit members of an index, the one with the highest score first, and the cursor of the rest.
func (r *Records) latest(ctx context.Context, index, cursor string, limit int) (rows []redis.Z, next string, err error) {
	before, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	limit = max(limit, 1)
	rows, err = r.redis.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
		Key: index, ByScore: true, Rev: true, Start: before, Stop: "-inf", Count: int64(limit + 1),
	}).Result()
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatFloat(rows[limit-1].Score, 'f', 0, 64)
	}
	return rows, next, redisError(err)
}

// forget drops from the list the stores whose record has expired. Records expire by themselves; nobody else does it.
func (r *Records) forget(ctx context.Context, ids []string) error {
	keys, args := []string{keyStores}, make([]any, len(ids))
	for i, id := range ids {
		keys, args[i] = append(keys, keyStore(id)), id
	}
	return redisError(forgetScript.Run(ctx, r.redis, keys, args...).Err())
}

// parseCursor returns the score below which a page begins.
func parseCursor(cursor string) (string, error) {
	if cursor == "" {
		return "+inf", nil
	}
	if _, err := strconv.ParseInt(cursor, 10, 64); err != nil {
		return "", provision.Errorf(provision.CodeInvalid, "cursor is not one that a page returned")
	}
	return "(" + cursor, nil
}

// states reads records in one round trip, skipping those that are gone.
func (r *Records) states(ctx context.Context, ids []string, journal int64) ([]provision.State, error) {
	type row struct {
		record  *redis.MapStringStringCmd
		running *redis.IntCmd
		untold  *redis.IntCmd
		steps   *redis.XMessageSliceCmd
	}
	rows := make([]row, len(ids))
	_, err := r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			rows[i] = row{record: p.HGetAll(ctx, keyStore(id)), running: p.Exists(ctx, keyGate(id)), untold: p.HLen(ctx, keyCalls(id))}
			if journal > 0 {
				rows[i].steps = p.XRevRangeN(ctx, keyJournal(id), "+", "-", journal)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, redisError(err)
	}
	states := make([]provision.State, 0, len(ids))
	for i, id := range ids {
		fields := rows[i].record.Val()
		if len(fields) == 0 {
			continue
		}
		state := stateOf(id, fields)
		state.Running, state.Untold = rows[i].running.Val() > 0, int(rows[i].untold.Val())
		if rows[i].steps != nil {
			state.Steps = steps(rows[i].steps.Val())
		}
		states = append(states, state)
	}
	return states, nil
}

func stateOf(id string, f map[string]string) provision.State {
	var req provision.Request
	_ = json.Unmarshal([]byte(f["request"]), &req) // shown as far as it goes; a run reports a broken record
	gen, op := whole(f["gen"]), provision.Op(f["op"])
	s := provision.State{
		StoreID: id, Name: req.Name, Engine: req.Engine, Namespace: req.Namespace, Host: req.Host, StoreURL: req.StoreURL,
		CreatorID: req.CreatorID, Cluster: f["cluster"], Action: op, Generation: gen, TaskID: taskID(gen, id), Status: op.Progress(),
		AcceptedAt: instant(f["accepted"]), Deadline: instant(f["deadline"]),
	}
	if whole(f["run_gen"]) == gen {
		s.Attempts, s.Crashes = int(whole(f["attempts"])), int(whole(f["crashes"]))
	}
	if status := f["status"]; status != "" {
		s.Status, s.Code, s.Error = provision.Status(status), provision.Code(f["code"]), f["error"]
		s.DecidedAt = instant(f["decided"])
	}
	s.RetainData = op == provision.OpDelete && f["retain"] != ""
	_ = json.Unmarshal([]byte(f["facts"]), &s.Facts)
	s.Refused = f["refused"]
	s.CreatorUnderWay = int(whole(f["parked"]))
	if del := whole(f["del"]); del != gen {
		s.DeleteGeneration = del
	}
	return s
}

// whole is 0 for a field that is not there.
func whole(text string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n
}

func instant(ms string) time.Time {
	if n := whole(ms); n > 0 {
		return time.UnixMilli(n).UTC()
	}
	return time.Time{}
}

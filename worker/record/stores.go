package record

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

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

// list is [Requests.Find] without a filter. A page is empty only at the end, or where thousands of records in a row have expired.
func (r *Requests) list(ctx context.Context, cursor string, limit int) (provision.Page, error) {
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
		history *redis.MapStringStringCmd
		tries   *redis.StringSliceCmd
		waits   *redis.StringCmd
		backups *redis.StringSliceCmd
	}
	rows := make([]row, len(ids))
	_, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			rows[i] = row{record: p.HGetAll(ctx, keyStore(id)), running: p.Exists(ctx, keyRunLease(id)), pending: p.HLen(ctx, keyCallbacks(id))}
			if journal > 0 {
				rows[i].steps = p.XRevRangeN(ctx, keyJournal(id), "+", "-", journal)
				rows[i].history, rows[i].tries = p.HGetAll(ctx, keyHistory(id)), p.LRange(ctx, keyDeliveries(id), 0, deliveriesMost-1)
				rows[i].waits, rows[i].backups = p.Get(ctx, keyWaits(id)), p.LRange(ctx, keyStoreBackups(id), 0, provision.MaxBackups-1)
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
			state.History, state.Deliveries, state.Backups = history(rows[i].history.Val()), deliveriesOf(rows[i].tries.Val()), backupsOf(rows[i].backups.Val())
			if state.Running {
				state.WaitsFor = rows[i].waits.Val()
			}
		}
		states = append(states, state)
	}
	return states, nil
}

// A page of chosen stores costs at most this much: so many stores are looked at, as many at a time as the page may have, then twice as many, and so on.
const (
	findMost  = 2000
	findBatch = 200 // at a time, at most
)

// Find returns up to limit stores that the filter chooses, the newest accepted first, without their steps. cursor is Next of the page before, or "". An error of code
// invalid means that no page returned this cursor. A page may have fewer stores than limit, or none, before the end: it is bounded by what was looked at. A search
// for names goes in the order of the names.
func (r *Requests) Find(ctx context.Context, f provision.StoreFilter, cursor string, limit int) (provision.Page, error) {
	if f == (provision.StoreFilter{}) {
		return r.list(ctx, cursor, limit)
	}
	if err := r.indexStores(ctx, keyFleetIndexed); err != nil {
		return provision.Page{}, err
	}
	if f.Query != "" {
		return r.findNamed(ctx, f, cursor, limit)
	}
	index, err := r.smallestIndex(ctx, f)
	if err != nil {
		return provision.Page{}, err
	}
	page, limit := provision.Page{Stores: []provision.State{}, Next: cursor}, max(limit, 1)
	for looked, batch := 0, min(limit, findBatch); looked < findMost; looked, batch = looked+batch, min(2*batch, findBatch) {
		rows, next, err := r.latest(ctx, index, page.Next, batch)
		if err != nil {
			return provision.Page{}, err
		}
		found, err := r.states(ctx, idsOf(rows), 0)
		if err != nil {
			return provision.Page{}, err
		}
		page.Next = next
		for _, s := range found {
			if !f.Matches(s) {
				continue
			}
			if page.Stores = append(page.Stores, s); len(page.Stores) == limit {
				return endedAt(page, rows, s.StoreID), nil
			}
		}
		if next == "" {
			break
		}
	}
	return page, nil
}

// endedAt is a page that is full with this store; where it was the last of the index, there is no next one.
func endedAt(page provision.Page, rows []redis.Z, id string) provision.Page {
	last := slices.IndexFunc(rows, func(row redis.Z) bool { return row.Member == id })
	if page.Next != "" || last < len(rows)-1 {
		page.Next = cursorAfter(rows[last])
	}
	return page
}

// smallestIndex is the index of what a filter without a query names that has the fewest stores. Stores that are deleted are in none.
func (c client) smallestIndex(ctx context.Context, f provision.StoreFilter) (string, error) {
	if f.Status == provision.StatusDeleted {
		return keyStores, nil
	}
	sizes := map[string]*redis.IntCmd{}
	_, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for field, value := range f.Fields() {
			key := keyFleet(field, value)
			sizes[key] = p.ZCard(ctx, key)
		}
		return nil
	})
	if err != nil {
		return "", redisconn.WrapError(err)
	}
	return slices.MinFunc(slices.Sorted(maps.Keys(sizes)), func(a, b string) int { return cmp.Compare(sizes[a].Val(), sizes[b].Val()) }), nil
}

// findNamed walks the names that begin as the filter says.
func (r *Requests) findNamed(ctx context.Context, f provision.StoreFilter, cursor string, limit int) (provision.Page, error) {
	prefix := strings.ToLower(f.Query)
	from := "[" + prefix
	if cursor != "" {
		after, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || !strings.HasPrefix(string(after), prefix) {
			return provision.Page{}, errCursor
		}
		from = "(" + string(after)
	}
	page, limit := provision.Page{Stores: []provision.State{}}, max(limit, 1)
	for looked, batch := 0, min(limit, findBatch); looked < findMost; looked, batch = looked+batch, min(2*batch, findBatch) {
		names, err := r.redis.ZRangeByLex(ctx, keyFleetNames, &redis.ZRangeBy{Min: from, Max: "[" + prefix + "\xff", Count: int64(batch)}).Result()
		if err != nil {
			return provision.Page{}, redisconn.WrapError(err)
		}
		stores, err := r.named(ctx, names)
		if err != nil {
			return provision.Page{}, err
		}
		for _, name := range names {
			from, page.Next = "("+name, base64.RawURLEncoding.EncodeToString([]byte(name))
			if s, ok := stores[name]; ok && f.Matches(s) && firstName(s, prefix) == name {
				if page.Stores = append(page.Stores, s); len(page.Stores) == limit {
					return page, nil
				}
			}
		}
		if len(names) < batch {
			page.Next = ""
			break
		}
	}
	return page, nil
}

// named are the stores of names, by these.
func (r *Requests) named(ctx context.Context, names []string) (map[string]provision.State, error) {
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = name[strings.LastIndex(name, "\x00")+1:]
	}
	found, err := r.states(ctx, ids, 0)
	stores, byID := map[string]provision.State{}, map[string]provision.State{}
	for _, s := range found {
		byID[s.StoreID] = s
	}
	for i, name := range names {
		if s, ok := byID[ids[i]]; ok {
			stores[name] = s
		}
	}
	return stores, err
}

// firstName is the first of a store's names, as they are indexed, that begins with a prefix: under the others the store was found before.
func firstName(s provision.State, prefix string) string {
	var names []string
	for kind, text := range map[string]string{"id_is": s.StoreID, "name_is": s.Name, "host_is": s.Host} {
		if text = strings.ToLower(text); strings.HasPrefix(text, prefix) {
			names = append(names, text+"\x00"+kind+"\x00"+s.StoreID)
		}
	}
	slices.Sort(names)
	return names[0]
}

// oldestMost is how many stores a summary names.
const oldestMost = 10

// Summary counts the stores of the engines, on the clusters of the installation.
func (r *Fleet) Summary(ctx context.Context, engines []string) (provision.Summary, error) {
	if err := r.indexStores(ctx, keyFleetIndexed); err != nil {
		return provision.Summary{}, err
	}
	clusters := append(slices.Clone(r.placement.Clusters.Names()), provision.DefaultCluster)
	slices.Sort(clusters)
	s := provision.Summary{}
	p := r.redis.Pipeline()
	status, code := counts(ctx, p, "status", provision.Statuses), counts(ctx, p, "code", provision.Codes)
	engine, cluster := counts(ctx, p, "engine", engines), counts(ctx, p, "cluster", slices.Compact(clusters))
	letters := p.ZCard(ctx, keyDeadLetterTimes)
	var rows []*redis.ZSliceCmd
	for _, under := range []provision.Status{provision.StatusProvisioning, provision.StatusDeleting} {
		rows = append(rows, p.ZRangeWithScores(ctx, keyFleet("status", string(under)), 0, oldestMost-1))
	}
	if _, err := p.Exec(ctx); err != nil {
		return s, redisconn.WrapError(err)
	}
	s.Status, s.Code, s.Engine, s.Cluster, s.DeadLetters = status(), code(), engine(), cluster(), letters.Val()
	for _, n := range s.Status {
		s.Stores += n
	}
	oldest := slices.Concat(rows[0].Val(), rows[1].Val())
	slices.SortFunc(oldest, func(a, b redis.Z) int { return cmp.Compare(a.Score, b.Score) })
	var err error
	s.Oldest, err = r.states(ctx, idsOf(oldest[:min(len(oldest), oldestMost)]), 0)
	return s, err
}

// counts asks for the sizes of indexes; the function that it returns has those that are not empty, once the pipeline was executed.
func counts[V ~string](ctx context.Context, p redis.Pipeliner, field string, values []V) func() map[V]int64 {
	sizes := make([]*redis.IntCmd, len(values))
	for i, value := range values {
		sizes[i] = p.ZCard(ctx, keyFleet(field, string(value)))
	}
	return func() map[V]int64 {
		found := map[V]int64{}
		for i, value := range values {
			if n := sizes[i].Val(); n > 0 {
				found[value] = n
			}
		}
		return found
	}
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

var errCursor = provision.Errorf(provision.CodeInvalid, "cursor must be one that a page returned as next")

// parseCursor returns the score below which a page begins.
func parseCursor(cursor string) (string, error) {
	if cursor == "" {
		return "+inf", nil
	}
	if _, err := strconv.ParseInt(cursor, 10, 64); err != nil {
		return "", errCursor
	}
	return "(" + cursor, nil
}

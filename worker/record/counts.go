package record

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// Group is a number of stores that share status, engine and cluster.
type Group struct {
	Status          provision.Status
	Engine, Cluster string
	Stores          int64
}

// Oldest is since when the oldest store is under way, of an operation on a cluster. Stores that wait for their creator's turn, or on a hold, are
// left out.
type Oldest struct {
	Op      provision.Op
	Cluster string
	Since   time.Time // zero where there is none
}

// Counts are numbers of what is on record.
type Counts struct {
	Groups                []Group // empty ones too; deleted stores are in none, unless their data is retained
	Oldest                []Oldest
	PendingCallbacks      int64
	OldestPendingCallback time.Time // zero where there is none
	DeadLetters           int64
}

// otherEngine is the group of what has no engine: deletes of unknown stores.
const otherEngine = "other"

// underWayMost is how many stores of a group are looked at for the oldest that does not wait.
const underWayMost = 100

// Count counts the stores of the engines on the clusters, and the callbacks. It takes two round trips, whatever is on record.
func (r *Stats) Count(ctx context.Context, engines, clusters []string) (Counts, error) {
	if err := r.indexStores(ctx, keyFleetGrouped); err != nil {
		return Counts{}, err
	}
	var groups []groupCommands
	p := r.redis.Pipeline()
	for _, cluster := range clusters {
		for _, engine := range append(slices.Clone(engines), otherEngine) {
			for _, status := range provision.Statuses {
				groups = append(groups, askGroup(ctx, p, Group{Status: status, Engine: engine, Cluster: cluster}))
			}
		}
	}
	pending, letters := p.ZCard(ctx, keyPendingCallbacks), p.ZCard(ctx, keyDeadLetterTimes)
	first := p.ZRangeWithScores(ctx, keyPendingCallbacks, 0, 0)
	if _, err := p.Exec(ctx); err != nil {
		return Counts{}, redisconn.WrapError(err)
	}
	c := Counts{PendingCallbacks: pending.Val(), DeadLetters: letters.Val()}
	for _, z := range first.Val() {
		c.OldestPendingCallback = time.UnixMilli(int64(z.Score))
	}
	for _, g := range groups {
		g.group.Stores = g.stores.Val()
		c.Groups = append(c.Groups, g.group)
	}
	var err error
	c.Oldest, err = r.oldest(ctx, groups, clusters)
	return c, err
}

// groupCommands are the questions about one group. first is nil for stores that are not under way.
type groupCommands struct {
	group  Group
	stores *redis.IntCmd
	first  *redis.ZSliceCmd
}

func askGroup(ctx context.Context, p redis.Pipeliner, g Group) groupCommands {
	key := keyFleet("group", string(g.Status)+":"+g.Engine+":"+g.Cluster)
	c := groupCommands{group: g, stores: p.ZCard(ctx, key)}
	if _, under := opOf(g.Status); under {
		c.first = p.ZRangeWithScores(ctx, key, 0, underWayMost-1)
	}
	return c
}

// opOf is the operation that stores of a status are under way with.
func opOf(s provision.Status) (op provision.Op, under bool) {
	switch s {
	case provision.OpProvision.Progress():
		return provision.OpProvision, true
	case provision.OpDelete.Progress():
		return provision.OpDelete, true
	default:
		return "", false
	}
}

// oldest finds in each group the first store that does not wait.
func (r *Stats) oldest(ctx context.Context, groups []groupCommands, clusters []string) (all []Oldest, err error) {
	waits := map[string]*redis.SliceCmd{}
	p := r.redis.Pipeline()
	for _, g := range groups {
		if g.first != nil {
			for _, id := range idsOf(g.first.Val()) {
				waits[id] = p.HMGet(ctx, keyStore(id), "throttled", "held_at")
			}
		}
	}
	if len(waits) > 0 {
		if _, err := p.Exec(ctx); err != nil {
			return nil, redisconn.WrapError(err)
		}
	}
	for _, cluster := range clusters {
		for _, op := range []provision.Op{provision.OpProvision, provision.OpDelete} {
			all = append(all, Oldest{Op: op, Cluster: cluster})
		}
	}
	for _, g := range groups {
		if g.first == nil {
			continue
		}
		op, _ := opOf(g.group.Status)
		row := slices.IndexFunc(g.first.Val(), func(z redis.Z) bool {
			id, _ := z.Member.(string)
			return !slices.ContainsFunc(waits[id].Val(), func(field any) bool { return field != nil })
		})
		if row < 0 {
			continue
		}
		since := time.UnixMicro(int64(g.first.Val()[row].Score))
		at := slices.IndexFunc(all, func(o Oldest) bool { return o.Op == op && o.Cluster == g.group.Cluster })
		if all[at].Since.IsZero() || since.Before(all[at].Since) {
			all[at].Since = since
		}
	}
	return all, nil
}

// Unconfirmed returns the stores whose callbacks the backend has not confirmed for the longest, up to n of them, without their steps.
func (r *Stats) Unconfirmed(ctx context.Context, n int) ([]provision.State, error) {
	rows, err := r.redis.ZRange(ctx, keyPendingCallbacks, 0, int64(n-1)).Result()
	if err != nil {
		return nil, redisconn.WrapError(err)
	}
	var ids []string
	for _, row := range rows {
		if _, id, ok := strings.Cut(row, "."); ok && !slices.Contains(ids, id) { // sequence.store
			ids = append(ids, id)
		}
	}
	return r.states(ctx, ids, 0)
}

// Ping returns nil if Redis answers.
func (r *Stats) Ping(ctx context.Context) error { return redisconn.WrapError(r.redis.Ping(ctx).Err()) }

// Complete reports whether the records are complete: [Recovery.Complete].
func (r *Stats) Complete(ctx context.Context) (bool, error) {
	return (&Recovery{r.client}).Complete(ctx)
}

// errNoMemory says that Redis does not tell its memory, as some hosted ones do not.
var errNoMemory = errors.New("Redis does not tell its memory")

// MemoryUsed returns how much of its memory Redis uses, from 0 to 1: of maxmemory, or of the machine's where there is none. On a Cluster it is that of the
// master which has the records.
func (r *Stats) MemoryUsed(ctx context.Context) (float64, error) {
	var node redis.Cmdable = r.redis
	if many, ok := r.redis.(interface {
		MasterForKey(ctx context.Context, key string) (*redis.Client, error)
	}); ok {
		master, err := many.MasterForKey(ctx, prefix)
		if err != nil {
			return 0, redisconn.WrapError(err)
		}
		node = master
	}
	text, err := node.Info(ctx, "memory").Result()
	if err != nil {
		return 0, redisconn.WrapError(err)
	}
	used, most := infoNumber(text, "used_memory"), infoNumber(text, "maxmemory")
	if most == 0 {
		most = infoNumber(text, "total_system_memory")
	}
	if used == 0 || most == 0 {
		return 0, errNoMemory
	}
	return used / most, nil
}

// infoNumber is a number in the answer of INFO; 0 where it is not there.
func infoNumber(text, field string) float64 {
	m := regexp.MustCompile(`(?m)^` + field + `:(\d+)`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return n
}

package localredis

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/orchestrator/internal/state"
)

// format is the version of a snapshot's file. A file with another one is refused.
const format = "orchestrator redis snapshot 1"

// snapshot is the content of a Redis at one moment.
type snapshot struct {
	Format  string
	At      time.Time
	Entries []entry // sorted by key
}

// entry is one key. Values are the arguments of the command that creates it: alternating fields and values of a hash, scores
// and members of a sorted set.
type entry struct {
	Key      string
	Type     string
	TTL      time.Duration // 0: it does not expire
	Values   []string
	Messages []message // of a stream
}

type message struct {
	ID     string
	Values []string
}

// takeScript reads all keys at one moment, since no other command runs during a script.
var takeScript = redis.NewScript(`
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind, data = redis.call('TYPE', key).ok, {}
  if kind == 'string' then data = { redis.call('GET', key) }
  elseif kind == 'list' then data = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then data = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then data = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'hash' then data = redis.call('HGETALL', key)
  elseif kind == 'stream' then data = redis.call('XRANGE', key, '-', '+')
  end
  all[#all + 1] = { key, kind, redis.call('PTTL', key), data }
end
return all`)

// takeSnapshot returns the current content of the Redis.
func takeSnapshot(ctx context.Context, client *redis.Client) (snapshot, error) {
	rows, err := takeScript.Eval(ctx, client, nil).Slice()
	if err != nil {
		return snapshot{}, err
	}
	s := snapshot{Format: format, At: time.Now(), Entries: make([]entry, 0, len(rows))}
	for _, row := range rows {
		e, err := entryOf(row)
		if err != nil {
			return snapshot{}, err
		}
		s.Entries = append(s.Entries, e)
	}
	slices.SortFunc(s.Entries, func(a, b entry) int { return strings.Compare(a.Key, b.Key) })
	return s, nil
}

func entryOf(row any) (entry, error) {
	cells, _ := row.([]any)
	if len(cells) != 4 {
		return entry{}, fmt.Errorf("a key has %d parts", len(cells))
	}
	key, _ := cells[0].(string)
	kind, _ := cells[1].(string)
	ms, _ := cells[2].(int64)
	data, _ := cells[3].([]any)
	e := entry{Key: key, Type: kind, TTL: time.Duration(max(0, ms)) * time.Millisecond}
	switch kind {
	case "string", "list", "set", "hash":
		e.Values = stringsOf(data)
	case "zset":
		e.Values = scoresFirst(stringsOf(data))
	case "stream":
		for _, m := range data {
			parts, _ := m.([]any)
			if len(parts) != 2 {
				return entry{}, fmt.Errorf("a message of %s has %d parts", key, len(parts))
			}
			id, _ := parts[0].(string)
			values, _ := parts[1].([]any)
			e.Messages = append(e.Messages, message{id, stringsOf(values)})
		}
	default:
		return entry{}, fmt.Errorf("key %s has the type %q", key, kind)
	}
	return e, nil
}

func stringsOf(values []any) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i], _ = v.(string)
	}
	return all
}

// scoresFirst puts each score before its member, as ZADD expects.
func scoresFirst(pairs []string) []string {
	for i := 0; i+1 < len(pairs); i += 2 {
		pairs[i], pairs[i+1] = pairs[i+1], pairs[i]
	}
	return pairs
}

// digest is equal for snapshots with the same content. It ignores the remaining time of keys that expire.
func (s snapshot) digest() [32]byte {
	h := sha256.New()
	for _, e := range s.Entries {
		fmt.Fprintf(h, "%q %s %t %q %q\n", e.Key, e.Type, e.TTL > 0, e.Values, e.Messages)
	}
	return [32]byte(h.Sum(nil))
}

func (s snapshot) write(path string) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		return err
	}
	return state.WriteFile(path, b.Bytes())
}

// restore loads the file into an empty Redis. It does nothing if there is no file.
func restore(ctx context.Context, client *redis.Client, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s snapshot
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&s); err != nil {
		return err
	}
	if s.Format != format {
		return fmt.Errorf("its format is %q, not %q", s.Format, format)
	}
	return s.restoreInto(ctx, client, time.Since(s.At))
}

// restoreInto makes every key that has not expired meanwhile.
func (s snapshot) restoreInto(ctx context.Context, client *redis.Client, meanwhile time.Duration) error {
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range s.Entries {
			if e.TTL > 0 && e.TTL <= meanwhile {
				continue
			}
			e.restoreInto(ctx, p)
			if e.TTL > 0 {
				p.PExpire(ctx, e.Key, e.TTL-max(0, meanwhile))
			}
		}
		return nil
	})
	return err
}

var writeCommands = map[string]string{"string": "SET", "list": "RPUSH", "set": "SADD", "zset": "ZADD", "hash": "HSET"}

func (e entry) restoreInto(ctx context.Context, p redis.Pipeliner) {
	if e.Type == "stream" {
		for _, m := range e.Messages {
			p.Do(ctx, command("XADD", append([]string{e.Key, m.ID}, m.Values...))...)
		}
		return
	}
	p.Do(ctx, command(writeCommands[e.Type], append([]string{e.Key}, e.Values...))...)
}

func command(name string, values []string) []any {
	all := []any{name}
	for _, v := range values {
		all = append(all, v)
	}
	return all
}

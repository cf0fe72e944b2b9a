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

// format is the first thing in a snapshot's file; another one is not read.
const format = "orchestrator redis snapshot 1"

// snapshot is all that a Redis holds at one moment.
type snapshot struct {
	Format  string
	At      time.Time
	Entries []entry // by key
}

// entry is one key. Values are as the commands want them that make it: alternating fields and values of a hash, scores
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

// takeScript reads everything at one moment: nothing runs beside a script.
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

// take returns all that the Redis holds now.
func take(ctx context.Context, client *redis.Client) (snapshot, error) {
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
		e.Values = texts(data)
	case "zset":
		e.Values = swapped(texts(data))
	case "stream":
		for _, m := range data {
			parts, _ := m.([]any)
			if len(parts) != 2 {
				return entry{}, fmt.Errorf("a message of %s has %d parts", key, len(parts))
			}
			id, _ := parts[0].(string)
			values, _ := parts[1].([]any)
			e.Messages = append(e.Messages, message{id, texts(values)})
		}
	default:
		return entry{}, fmt.Errorf("key %s has the type %q", key, kind)
	}
	return e, nil
}

func texts(values []any) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i], _ = v.(string)
	}
	return all
}

// swapped puts each score before its member, as ZADD wants them.
func swapped(pairs []string) []string {
	for i := 0; i+1 < len(pairs); i += 2 {
		pairs[i], pairs[i+1] = pairs[i+1], pairs[i]
	}
	return pairs
}

// digest is equal for snapshots that hold the same, whatever is left of the keys' time.
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

// restore fills an empty Redis from a file. Without the file it does nothing.
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
	return s.fill(ctx, client, time.Since(s.At))
}

// fill makes every key that has not expired meanwhile.
func (s snapshot) fill(ctx context.Context, client *redis.Client, meanwhile time.Duration) error {
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range s.Entries {
			if e.TTL > 0 && e.TTL <= meanwhile {
				continue
			}
			e.fill(ctx, p)
			if e.TTL > 0 {
				p.PExpire(ctx, e.Key, e.TTL-max(0, meanwhile))
			}
		}
		return nil
	})
	return err
}

var makers = map[string]string{"string": "SET", "list": "RPUSH", "set": "SADD", "zset": "ZADD", "hash": "HSET"}

func (e entry) fill(ctx context.Context, p redis.Pipeliner) {
	if e.Type == "stream" {
		for _, m := range e.Messages {
			p.Do(ctx, command("XADD", append([]string{e.Key, m.ID}, m.Values...))...)
		}
		return
	}
	p.Do(ctx, command(makers[e.Type], append([]string{e.Key}, e.Values...))...)
}

func command(name string, values []string) []any {
	all := []any{name}
	for _, v := range values {
		all = append(all, v)
	}
	return all
}

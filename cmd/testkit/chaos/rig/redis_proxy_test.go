package rig

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
)

// A command that is dropped does not reach Redis, one whose reply is lost does, and the caller sees no difference.
func TestRedisProxy(t *testing.T) {
	options, err := redis.ParseURL(redistest.Real(t))
	if err != nil {
		t.Fatal(err)
	}
	var next atomic.Int32
	socket := filepath.Join(t.TempDir(), "p")
	proxy, err := NewRedisProxy(socket, options.Addr, func(words []string) Treatment {
		if words[0] == "incr" {
			return Treatment(next.Swap(int32(Pass)))
		}
		return Pass
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: -1})
	defer client.Close()
	ctx, want := context.Background(), int64(0)
	for _, c := range []struct {
		treatment Treatment
		reaches   bool
		answered  bool
	}{{Pass, true, true}, {Drop, false, false}, {LoseReply, true, false}, {Pass, true, true}} {
		next.Store(int32(c.treatment))
		if c.reaches {
			want++
		}
		if err := client.Incr(ctx, "n").Err(); (err == nil) != c.answered {
			t.Errorf("treatment %d: error %v, want answered: %t", c.treatment, err, c.answered)
		}
		if n, err := client.Get(ctx, "n").Int64(); n != want {
			t.Errorf("treatment %d: n is %d (%v), want %d", c.treatment, n, err, want)
		}
	}
}

package redisconn

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
)

func TestCheckDurabilityWarnsOfSettingsThatLoseStores(t *testing.T) {
	url := redistest.Real(t)
	client, err := Connect(url, FailFast, TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx := context.Background()
	set := func(name, value string) {
		if err := eachMaster(ctx, client, func(ctx context.Context, n *redis.Client) error { return n.ConfigSet(ctx, name, value).Err() }); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { set("maxmemory-policy", "noeviction"); set("appendonly", "no"); set("save", "") })
	replicated := strings.HasPrefix(url, "redis-sentinel:")
	said := func(want ...string) {
		t.Helper()
		var log bytes.Buffer
		if err := CheckDurability(ctx, client, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
			t.Fatal(err)
		}
		if replicated {
			want = append(want, "min-replicas-to-write to 1")
		}
		nodes := 1
		if os.Getenv("ORCH_TEST_REDIS") == "cluster" {
			nodes = 3
		}
		for _, text := range want {
			if strings.Count(log.String(), text) != nodes {
				t.Errorf("%q is not said by each of %d masters:\n%s", text, nodes, log.String())
			}
		}
		if n := strings.Count(log.String(), "level=WARN"); n != nodes*len(want) {
			t.Errorf("%d warnings, want %d each:\n%s", n, len(want), log.String())
		}
	}
	said("keeps nothing on disk")
	set("save", "60 1")
	set("maxmemory-policy", "allkeys-lru")
	said("snapshots only", "evicts keys")
	set("maxmemory-policy", "noeviction")
	set("appendonly", "yes")
	said()
}

func TestCheckDurabilityToleratesAServerThatHidesItsSettings(t *testing.T) {
	client, err := Connect(redistest.Durable(t).URL, FailFast, TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	client.ConfigSet(ctx, "appendonly", "no")
	client.Do(ctx, "ACL", "SETUSER", "default", "-config")
	var log bytes.Buffer
	if err := CheckDurability(ctx, client, slog.New(slog.NewTextHandler(&log, nil))); err != nil || strings.Contains(log.String(), "WARN") || !strings.Contains(log.String(), "does not tell") {
		t.Errorf("%v:\n%s", err, log.String())
	}
	client.Do(ctx, "ACL", "SETUSER", "default", "-info")
	if err := CheckDurability(ctx, client, slog.New(slog.NewTextHandler(&log, nil))); err != nil || strings.Contains(log.String(), "WARN") {
		t.Errorf("%v:\n%s", err, log.String())
	}
}

func TestTooOldBefore62(t *testing.T) {
	for version, old := range map[string]bool{"6.0.16": true, "5.0": true, "6.2.0": false, "7.4.1": false, "10.0": false, "": false, "unknown": false} {
		if tooOld(version) != old {
			t.Errorf("%q: %v", version, !old)
		}
	}
}

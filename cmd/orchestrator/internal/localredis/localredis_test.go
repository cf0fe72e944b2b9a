package localredis

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"orchestrator/cmd/orchestrator/internal/child"
	"orchestrator/cmd/testkit/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, redistest.Redialing) }

// testMachine has these servers on its PATH, with these versions.
func testMachine(servers map[string]string) machine {
	return machine{
		lookPath: func(name string) (string, error) {
			if _, ok := servers[name]; !ok {
				return "", exec.ErrNotFound
			}
			return "/bin/" + name, nil
		},
		version: func(path string) (string, error) {
			if v := servers[filepath.Base(path)]; v != "" {
				return v, nil
			}
			return "", errors.New("broken")
		},
	}
}

func TestChoose(t *testing.T) {
	type on map[string]string
	tests := []struct {
		want, url string
		servers   on
		way, path string
		says      string // in why or in the error
	}{
		{"auto", "redis://a", on{"redis-server": "7.0.15"}, "redis://a", "", ""},
		{"", "", on{"redis-server": "7.0.15"}, System, "/bin/redis-server", ""},
		{"auto", "", on{"redis-server": "6.2.0"}, System, "/bin/redis-server", ""},
		{"auto", "", on{"redis-server": "6.0.16", "valkey-server": "8.1"}, System, "/bin/valkey-server", ""},
		{"auto", "", on{"redis-server": "5.0.7"}, Embedded, "", "has version 5.0.7, but 6.2 or later is required"},
		{"auto", "", on{"redis-server": ""}, Embedded, "", "cannot be read"},
		{"auto", "", on{"redis-server": "next"}, Embedded, "", "has version next"},
		{"auto", "", on{}, Embedded, "", "no redis-server or valkey-server on PATH"},
		{"system", "redis://a", on{"valkey-server": "10.0"}, System, "/bin/valkey-server", ""},
		{"system", "", on{}, "", "", "apt-get install redis-server"},
		{"embedded", "redis://a", on{"redis-server": "7.0.15"}, Embedded, "", ""},
		{"rediss://b", "redis://a", on{"redis-server": "7.0.15"}, "rediss://b", "", ""},
		{"Redis", "", on{"redis-server": "7.0.15"}, "", "", "auto, system, embedded or a URL"},
	}
	for _, test := range tests {
		got, err := choose(test.want, test.url, testMachine(test.servers))
		says := got.why
		if err != nil {
			says = err.Error()
		}
		if got.kind != test.way || got.server.path != test.path || !strings.Contains(says, test.says) || (test.says == "" && says != "") {
			t.Errorf("%+v: got %+v, %v", test, got, err)
		}
	}
}

func TestWithoutPassword(t *testing.T) {
	for raw, want := range map[string]string{
		"redis://:secret@host:6379/1":            "redis://host:6379/1",
		"unix:///tmp/a.sock":                     "unix:///tmp/a.sock",
		"redis-cluster://:secret@a:1,b:2/":       "redis-cluster://a:1,b:2/",
		"redis-sentinel://u:secret@a:1,b:2/main": "redis-sentinel://a:1,b:2/main",
		"redis://:se%cr/et@host?db=1":            "redis://host",
	} {
		if got := withoutPassword(raw); got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
	}
}

// fillAll makes one key of each kind, with what is hard to keep.
func fillAll(t *testing.T, c *redis.Client) {
	t.Helper()
	ctx, binary := context.Background(), "\x00\xff\xfe\r\n\"ü"
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "string", binary, 0)
		p.Set(ctx, "empty", "", 0)
		p.Set(ctx, "lease", "x", time.Hour)
		p.Set(ctx, "short", "x", 50*time.Millisecond)
		p.RPush(ctx, "list", "b", binary, "b", "")
		p.SAdd(ctx, "set", "b", binary, "")
		p.HSet(ctx, "hash", "f", binary, binary, "v", "empty", "")
		p.ZAdd(ctx, "zset", redis.Z{Score: 1767355230123, Member: "ms"}, redis.Z{Score: 0.1, Member: "fraction"}, redis.Z{Score: -1e300, Member: binary})
		for range 3 {
			p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", Values: []any{"step", binary, "empty", ""}})
		}
		p.Expire(ctx, "stream", time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *embedded {
	t.Helper()
	e, err := openEmbedded(context.Background(), path, "secret", func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	return e
}

func all(t *testing.T, e *embedded) []entry {
	t.Helper()
	s, err := takeSnapshot(context.Background(), e.client)
	if err != nil {
		t.Fatal(err)
	}
	return s.Entries
}

func TestEmbeddedRestoresEverythingAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := open(t, path)
	fillAll(t, first.client)
	before := all(t, first)
	first.close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	time.Sleep(60 * time.Millisecond)

	second := open(t, path)
	after := all(t, second)
	for i := range before {
		if before[i].Key == "short" {
			before = append(before[:i], before[i+1:]...)
			break
		}
	}
	withoutTTL := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".TTL" }, cmp.Comparer(func(a, b time.Duration) bool {
		return a.Round(10*time.Second) == b.Round(10*time.Second)
	}))
	if diff := cmp.Diff(before, after, withoutTTL); diff != "" {
		t.Error(diff)
	}
	if len(after) != 8 {
		t.Errorf("%d keys, want 8", len(after))
	}
	// A stream continues after its last id.
	if err := second.client.XAdd(context.Background(), &redis.XAddArgs{Stream: "stream", Values: []any{"a", "b"}}).Err(); err != nil {
		t.Error(err)
	}
}

func TestEmbeddedSavesOnlyChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	e := open(t, path)
	fillAll(t, e.client)
	e.save()
	first, _ := os.ReadFile(path)
	e.server.FastForward(time.Second)
	e.client.Del(context.Background(), "short")
	e.save()
	second, _ := os.ReadFile(path)
	e.save()
	third, _ := os.ReadFile(path)
	if string(first) == string(second) {
		t.Error("a change was not kept")
	}
	if string(second) != string(third) {
		t.Error("it was written again without a change")
	}
}

func TestEmbeddedExpiresKeys(t *testing.T) {
	e := open(t, filepath.Join(t.TempDir(), "s"))
	ctx := context.Background()
	e.client.Set(ctx, "lease", "x", 500*time.Millisecond)
	for end := time.Now().Add(10 * time.Second); e.client.Exists(ctx, "lease").Val() == 1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a lease of half a second is there after ten")
		}
	}
}

func TestEmbeddedRefusesABrokenSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openEmbedded(context.Background(), path, "secret", nil); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Error(err)
	}
}

func TestEmbeddedRequiresItsPassword(t *testing.T) {
	r, err := Start(context.Background(), Options{Want: Embedded, Dir: filepath.Join(t.TempDir(), "redis")})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	for url, want := range map[string]bool{r.URL: true, "redis://" + strings.SplitN(r.URL, "@", 2)[1]: false} {
		opts, _ := redis.ParseURL(url)
		c := redis.NewClient(opts)
		if ok := c.Ping(context.Background()).Err() == nil; ok != want {
			t.Errorf("%s: answers %v, want %v", url, ok, want)
		}
		c.Close()
	}
}

func TestSystemServerKeepsItsData(t *testing.T) {
	if _, err := thisMachine.find(); err != nil {
		t.Fatalf("%v: run `apt-get install redis-server`, or the tests by `make test`, which brings one", err)
	}
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 90)) // too long for a socket
	for i, want := range []string{"", "kept"} {
		g := child.NewGroup(t.Logf)
		r, err := Start(context.Background(), Options{Want: System, Dir: deep, Log: filepath.Join(t.TempDir(), "log"), Group: g})
		if err != nil {
			t.Fatal(err)
		}
		opts, err := redis.ParseURL(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		c := redis.NewClient(opts)
		if got := c.Get(context.Background(), "a").Val(); got != want {
			t.Errorf("life %d: a is %q, want %q", i, got, want)
		}
		c.Set(context.Background(), "a", "kept", 0)
		c.Close()
		r.Stop()
	}
}

func TestExternalRedisIsChecked(t *testing.T) {
	url := redistest.Real(t)
	ctx := context.Background()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	defer c.Close()
	for policy, says := range map[string]string{"noeviction": "", "volatile-lru": "set it to noeviction", "allkeys-lru": "evicts keys"} {
		c.ConfigSet(ctx, "maxmemory-policy", policy)
		r, err := Start(ctx, Options{URL: url})
		switch {
		case policy == "allkeys-lru":
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", policy, err)
			}
		case err != nil:
			t.Error(err)
		case r.URL != url || !strings.Contains(r.Warning, says) || !strings.Contains(r.Durability, "appendonly no"):
			t.Errorf("%s: %+v", policy, r)
		}
		r.Stop()
	}
}

func TestExternalRedisThatDoesNotAnswerIsReported(t *testing.T) {
	_, err := Start(context.Background(), Options{Want: "redis://:secret@127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "redis://127.0.0.1:1") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

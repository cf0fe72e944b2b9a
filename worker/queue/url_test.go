package queue

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func TestURLs(t *testing.T) {
	type parsed struct {
		Addrs                    []string
		DB                       int
		User, Password           string
		Master                   string
		Cluster, TLS             bool
		SentinelUser, SentinelPW string
	}
	tests := map[string]parsed{
		"redis://localhost":                          {Addrs: []string{"localhost:6379"}},
		"redis://h:1/2":                              {Addrs: []string{"h:1"}, DB: 2},
		"redis://u:p@h:1":                            {Addrs: []string{"h:1"}, User: "u", Password: "p"},
		"redis://:p%40%2F%3A%23@h:1":                 {Addrs: []string{"h:1"}, Password: "p@/:#"},
		"redis://[::1]:7":                            {Addrs: []string{"[::1]:7"}},
		"rediss://:p@h:1":                            {Addrs: []string{"h:1"}, Password: "p", TLS: true},
		"unix:///run/r.sock":                         {Addrs: []string{"/run/r.sock"}},
		"unix://:p@/run/r.sock?db=3":                 {Addrs: []string{"/run/r.sock"}, Password: "p", DB: 3},
		"redis-sentinel://a:1/m":                     {Addrs: []string{"a:1"}, Master: "m"},
		"redis-sentinel://u:p%2F@a:1,[::1]:2/m?db=4": {Addrs: []string{"a:1", "[::1]:2"}, Master: "m", User: "u", Password: "p/", DB: 4},
		"redis-sentinel://a:1/m?sentinel_username=su&sentinel_password=sp": {Addrs: []string{"a:1"}, Master: "m", SentinelUser: "su", SentinelPW: "sp"},
		"redis-cluster://a:1":            {Addrs: []string{"a:1"}, Cluster: true},
		"redis-cluster://:p%40@a:1,b:2/": {Addrs: []string{"a:1", "b:2"}, Cluster: true, Password: "p@"},
	}
	for raw, want := range tests {
		o, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		got := parsed{o.Addrs, o.DB, o.Username, o.Password, o.MasterName, o.IsClusterMode, o.TLSConfig != nil, o.SentinelUsername, o.SentinelPassword}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

func TestClientsAreOfTheKindThatTheURLNames(t *testing.T) {
	for raw, want := range map[string]func(redis.UniversalClient) bool{
		"redis://h:1":              isA[*redis.Client],
		"unix:///run/r.sock":       isA[*redis.Client],
		"redis-sentinel://a:1/m":   isA[*redis.Client],
		"redis-cluster://a:1":      isA[*redis.ClusterClient],
		"redis-cluster://a:1,b:2/": isA[*redis.ClusterClient],
	} {
		client, err := Connect(raw, ForAnswers)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if !want(client) {
			t.Errorf("%s makes a %T", raw, client)
		}
		client.Close()
	}
	client, err := Connect("unix:///run/r.sock", ForAnswers)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if network := client.(*redis.Client).Options().Network; network != "unix" {
		t.Errorf("a socket is dialled by %s", network)
	}
}

func isA[T redis.UniversalClient](c redis.UniversalClient) bool {
	_, ok := c.(T)
	return ok
}

// Whoever writes the URL wrongly reads the error in a log: it names REDIS_URL, and no part of the password, which
// characters that should be escaped may have moved to any part of the URL.
func TestURLErrorsHoldNoPassword(t *testing.T) {
	passwords := []string{"s3cret", "s3cret/x", "s3cret#x", "s3cret?x", "s3cret%zz", "s3cret@x", "s3cret:x", "s3cret x", "s3cret\x00", "[s3cret", "s3cret\x7f"}
	shapes := []string{"redis://:PW@h:x/", "redis://:PW@h:1/PW", "redis://:PW@h:1?PW=PW", "redis:PW@h:1", "PW", "http://:PW@h",
		"rediss://:PW@h:1/1/2", "unix://:PW@", "redis-sentinel://:PW@a:1", "redis-sentinel://:PW@a:1,/m", "redis-sentinel://:PW@a/m",
		"redis-sentinel://:PW@a:1/m?db=PW", "redis-sentinel://:PW@:1/m", "redis-cluster://:PW@", "redis-cluster://:PW@a:1,,b:1", "redis-cluster://u:PW@a:b"}
	for _, shape := range shapes {
		for _, pw := range passwords {
			raw := strings.ReplaceAll(shape, "PW", pw)
			_, err := Connect(raw, ForAnswers)
			if err == nil {
				if pw == "s3cret" {
					t.Errorf("%q is taken for a URL", raw)
				}
				continue
			}
			if text := err.Error(); strings.Contains(text, "s3cret") || strings.Contains(text, "zz") || !strings.HasPrefix(text, "REDIS_URL: ") {
				t.Errorf("%q: %s", raw, text)
			}
		}
	}
}

// An unescaped password must not become an address: that would be looked up, and logged.
func TestAPasswordNeverBecomesAnAddress(t *testing.T) {
	for _, scheme := range []string{"redis", "rediss", "redis-sentinel", "redis-cluster"} {
		for _, pw := range []string{"s3cret/x", "s3cret#x", "s3cret?x", "12/s3cret", "12#s3cret"} {
			for _, raw := range []string{scheme + "://:" + pw + "@h:1/0", scheme + "://u:" + pw + "@h:1"} {
				o, err := parseURL(raw)
				if err == nil && (o.Password == "" || len(o.Addrs) != 1 || o.Addrs[0] != "h:1") {
					t.Errorf("%q parses as addresses %q, master %q, password %q", raw, o.Addrs, o.MasterName, o.Password)
				}
			}
		}
	}
}

package redisconn

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func TestParseURL(t *testing.T) {
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
		"rediss-sentinel://:p@a:1/m":                                       {Addrs: []string{"a:1"}, Master: "m", Password: "p", TLS: true},
		"redis-cluster://a:1":                                              {Addrs: []string{"a:1"}, Cluster: true},
		"rediss-cluster://a:1":                                             {Addrs: []string{"a:1"}, Cluster: true, TLS: true},
		"redis-cluster://:p%40@a:1,b:2/":                                   {Addrs: []string{"a:1", "b:2"}, Cluster: true, Password: "p@"},
	}
	for raw, want := range tests {
		o, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		got := parsed{o.Addrs, o.DB, o.Username, o.Password, o.MasterName, o.IsClusterMode, o.tls, o.SentinelUsername, o.SentinelPassword}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

// The names and meanings are those of go-redis.
func TestParseURLOptions(t *testing.T) {
	const query = "?protocol=2&client_name=x&max_retries=-1&min_retry_backoff=5ms&max_retry_backoff=1&dial_timeout=2s&read_timeout=7" +
		"&write_timeout=0&pool_size=9&pool_timeout=4s&min_idle_conns=1&max_idle_conns=2&max_active_conns=3&conn_max_idle_time=1m&conn_max_lifetime=1h"
	want := redis.UniversalOptions{Protocol: 2, ClientName: "x", MaxRetries: -1, MinRetryBackoff: 5 * time.Millisecond, MaxRetryBackoff: time.Second,
		DialTimeout: 2 * time.Second, ReadTimeout: 7 * time.Second, WriteTimeout: -1, PoolSize: 9, PoolTimeout: 4 * time.Second,
		MinIdleConns: 1, MaxIdleConns: 2, MaxActiveConns: 3, ConnMaxIdleTime: time.Minute, ConnMaxLifetime: time.Hour}
	for _, raw := range []string{"redis://a:1", "rediss://a:1/", "unix:///s", "redis-sentinel://a:1/m", "redis-cluster://a:1", "rediss-cluster://a:1/"} {
		got, err := parseURL(raw + query)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		got.Addrs, got.MasterName, got.IsClusterMode = nil, "", false
		if !reflect.DeepEqual(want, got.UniversalOptions) {
			t.Errorf("%s: %+v", raw, got.UniversalOptions)
		}
	}
	if got, err := parseURL("redis-cluster://a:1?max_redirects=5"); err != nil || got.MaxRedirects != 5 {
		t.Errorf("max_redirects: %+v, %v", got, err)
	}
	if got, err := parseURL("rediss-sentinel://a:1/m?skip_verify=true"); err != nil || !got.skipVerify {
		t.Errorf("skip_verify: %+v, %v", got, err)
	}
}

func TestParseURLRefusesOptionsThatDoNotFit(t *testing.T) {
	for raw, says := range map[string]string{
		"redis://a:1?read_only=true":                       "pool_size",
		"redis://a:1?sentinel_password=x":                  "no option of such a URL",
		"redis-cluster://a:1?db=1":                         "no option of such a URL",
		"redis-cluster://a:1?route_randomly=true":          "max_redirects",
		"redis-sentinel://a:1/m?max_redirects=1":           "sentinel_username",
		"redis://a:1?pool_size=many":                       "pool_size must be a whole number",
		"redis://a:1?pool_size=1&pool_size=2":              "an option twice",
		"redis://a:1?read_timeout=soon":                    "read_timeout must be a duration",
		"redis://a:1?db=-1":                                "db must be",
		"redis://a:1?skip_verify=true":                     "rediss",
		"rediss://a:1?skip_verify=perhaps":                 "true or false",
		"redis-sentinel://a:1/m?sentinel_password=p;q=%zz": "percent-encoded",
	} {
		if _, err := parseURL(raw); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestConnectMakesTheKindOfClientThatTheURLNames(t *testing.T) {
	for raw, want := range map[string]func(redis.UniversalClient) bool{
		"redis://h:1":              isA[*redis.Client],
		"unix:///run/r.sock":       isA[*redis.Client],
		"redis-sentinel://a:1/m":   isA[*redis.Client],
		"redis-cluster://a:1":      isA[*redis.ClusterClient],
		"redis-cluster://a:1,b:2/": isA[*redis.ClusterClient],
	} {
		client, err := Connect(raw, FailFast, TLSOptions{})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if !want(client) {
			t.Errorf("%s makes a %T", raw, client)
		}
		client.Close()
	}
	client, err := Connect("unix:///run/r.sock", FailFast, TLSOptions{})
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

// The error of a wrong URL ends up in a log: it names the option, and no part of the password, which
// characters that should be escaped may have moved to any part of the URL.
func TestConnectErrorsHoldNoPassword(t *testing.T) {
	passwords := []string{"s3cret", "s3cret/x", "s3cret#x", "s3cret?x", "s3cret%zz", "s3cret@x", "s3cret:x", "s3cret x", "s3cret\x00", "[s3cret", "s3cret\x7f"}
	shapes := []string{"redis://:PW@h:x/", "redis://:PW@h:1/PW", "redis://:PW@h:1?PW=PW", "redis:PW@h:1", "PW", "http://:PW@h",
		"rediss://:PW@h:1/1/2", "unix://:PW@", "redis-sentinel://:PW@a:1", "redis-sentinel://:PW@a:1,/m", "redis-sentinel://:PW@a/m",
		"redis-sentinel://:PW@a:1/m?db=PW", "redis-sentinel://a:1/m?sentinel_password=x&PW", "redis-cluster://a:1?pool_size=PW", "rediss-cluster://a:1?PW=1", "redis-sentinel://:PW@:1/m", "redis-cluster://:PW@", "redis-cluster://:PW@a:1,,b:1", "redis-cluster://u:PW@a:b"}
	for _, shape := range shapes {
		for _, pw := range passwords {
			raw := strings.ReplaceAll(shape, "PW", pw)
			_, err := Connect(raw, FailFast, TLSOptions{})
			if err == nil {
				if pw == "s3cret" {
					t.Errorf("%q is taken for a URL", raw)
				}
				continue
			}
			if text := err.Error(); strings.Contains(text, "s3cret") || strings.Contains(text, "zz") || !strings.HasPrefix(text, "URL: ") {
				t.Errorf("%q: %s", raw, text)
			}
		}
	}
}

// An unescaped password must not become an address: that would be looked up, and logged.
func TestParseURLTakesNoPasswordForAnAddress(t *testing.T) {
	for _, scheme := range []string{"redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster"} {
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

package localredis

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/service"
	"orchestrator/worker/redisconn"
)

// connectExternal uses a Redis that is not run by this process, once it has answered and its settings are fit for queues.
func connectExternal(ctx context.Context, c choice) (*Redis, error) {
	rawURL := c.kind
	client, err := service.RedisAt(rawURL, os.Getenv).Connect(redisconn.FailFast)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, fmt.Errorf("%s: no Redis answers at %s: %w", c.source, withoutPassword(rawURL), err)
	}
	r := &Redis{URL: rawURL, External: true, Name: fmt.Sprintf("%s (%s)", withoutPassword(rawURL), c.source)}
	if info, err := client.InfoMap(ctx, "server").Result(); err == nil {
		text := info["Server"]["redis_version"]
		if v, ok := parseVersion(text); ok && v.below(minVersion) {
			return nil, fmt.Errorf("%s: the Redis at %s has version %s, but 6.2 or later is required", c.source, withoutPassword(rawURL), text)
		}
	}
	if err := r.checkPolicy(ctx, client); err != nil {
		return nil, err
	}
	r.Durability = "accepted requests are as durable as that Redis" + persistence(ctx, client)
	return r, nil
}

// checkPolicy refuses a Redis that is known to evict keys.
func (r *Redis) checkPolicy(ctx context.Context, client redis.UniversalClient) error {
	policy := setting(ctx, client, "maxmemory-policy")
	switch {
	case strings.HasPrefix(policy, "allkeys-"):
		return fmt.Errorf("the Redis at %s evicts keys when its memory is full (maxmemory-policy %s) and would lose accepted requests; set it to noeviction",
			withoutPassword(r.URL), policy)
	case strings.HasPrefix(policy, "volatile-"):
		r.Warning = "its maxmemory-policy is " + policy + "; set it to noeviction"
	}
	return nil
}

func persistence(ctx context.Context, client redis.UniversalClient) string {
	switch setting(ctx, client, "appendonly") {
	case "yes":
		return " (appendonly yes)"
	case "no":
		return " (appendonly no: a crash loses what is not in its last snapshot)"
	}
	return ""
}

// setting returns "" if the server does not tell: many hosted servers forbid CONFIG.
func setting(ctx context.Context, client redis.UniversalClient, name string) string {
	return client.ConfigGet(ctx, name).Val()[name]
}

// withoutPassword removes user, password and query from a URL. The URL may name several hosts, which net/url cannot parse.
func withoutPassword(rawURL string) string {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = rest[i+1:]
	}
	return scheme + "://" + rest
}

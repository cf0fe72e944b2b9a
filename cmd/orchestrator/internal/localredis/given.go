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

// given takes a Redis that somebody else runs, once it has answered and is fit for queues.
func given(ctx context.Context, rawURL string) (*Redis, error) {
	client, err := service.RedisAt(rawURL, os.Getenv).Connect(redisconn.FailFast)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, fmt.Errorf("REDIS_URL leads to %s, where no Redis answers: %w", place(rawURL), err)
	}
	r := &Redis{URL: rawURL, Given: true, Name: "the one at " + place(rawURL) + ", as REDIS_URL says"}
	if info, err := client.InfoMap(ctx, "server").Result(); err == nil {
		text := info["Server"]["redis_version"]
		if v, ok := parseVersion(text); ok && v.below(oldest) {
			return nil, fmt.Errorf("the Redis at %s has version %s; 6.2 is needed", place(rawURL), text)
		}
	}
	if err := r.checkPolicy(ctx, client); err != nil {
		return nil, err
	}
	r.Durability = "accepted stores are as durable as that Redis is" + persistence(ctx, client)
	return r, nil
}

// checkPolicy refuses a Redis that throws keys away, where it says so.
func (r *Redis) checkPolicy(ctx context.Context, client redis.UniversalClient) error {
	policy := setting(ctx, client, "maxmemory-policy")
	switch {
	case strings.HasPrefix(policy, "allkeys-"):
		return fmt.Errorf("the Redis at %s throws keys away when its memory is full (maxmemory-policy %s), accepted stores among them; set it to noeviction",
			place(r.URL), policy)
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
		return " (appendonly no: a crash of it loses what is not in its last snapshot)"
	}
	return ""
}

// setting is "" where the server does not say: many a hosted Redis has no CONFIG.
func setting(ctx context.Context, client redis.UniversalClient, name string) string {
	return client.ConfigGet(ctx, name).Val()[name]
}

// place is where a URL leads, without its password. The URL may name several hosts, which net/url does not read.
func place(rawURL string) string {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = rest[i+1:]
	}
	return scheme + "://" + rest
}

package redisconn

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	checkEvery   = 5 * time.Second // while Redis does not answer
	checkTimeout = 10 * time.Second
)

// CheckDurability asks Redis, once it answers, for the settings that keep its data, and logs a warning for each by which
// accepted stores could be lost. The only error is a Redis before 6.2, which lacks what the scripts need. It returns when ctx
// ends at the latest.
func CheckDurability(ctx context.Context, client redis.UniversalClient, log *slog.Logger) error {
	for {
		err := eachMaster(ctx, client, func(ctx context.Context, node *redis.Client) error {
			return server{node, node.Options().Addr == "FailoverClient", log.With("redis", node.Options().Addr)}.check(ctx)
		})
		if err == nil || !Unreachable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(checkEvery):
		}
	}
}

func eachMaster(ctx context.Context, client redis.UniversalClient, ask func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	switch c := client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, ask)
	case *redis.Client:
		return ask(ctx, c)
	}
	return nil
}

// server is one Redis server.
type server struct {
	*redis.Client
	replicated bool
	log        *slog.Logger
}

func (s server) check(ctx context.Context) error {
	text, err := s.Info(ctx).Result()
	if err != nil {
		if Unreachable(err) {
			return err
		}
		s.log.Info("Redis does not tell its settings; check that it keeps what it is given", "error", err)
		return nil
	}
	info := fields(text)
	if v := info["redis_version"]; tooOld(v) {
		return fmt.Errorf("the Redis at %s has version %s; 6.2 or later is needed", s.Options().Addr, v)
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		s.log.Warn("Redis evicts keys when its memory is full, accepted stores and outcomes among them; set maxmemory-policy to noeviction", "maxmemory-policy", policy)
	}
	if info["aof_enabled"] == "0" {
		s.withoutAOF(ctx)
	}
	if s.replicated && s.setting(ctx, "min-replicas-to-write") == "0" {
		s.log.Warn("a master that has lost its replicas goes on accepting what a failover loses; set min-replicas-to-write to 1 and min-replicas-max-lag to 10")
	}
	return nil
}

func (s server) withoutAOF(ctx context.Context) {
	switch save := s.setting(ctx, "save"); save {
	case unknown:
	case "":
		s.log.Warn("Redis keeps nothing on disk: a restart loses what was accepted and not begun; set appendonly to yes")
	default:
		s.log.Warn("Redis keeps snapshots only: a restart loses what was accepted since the last one; set appendonly to yes", "save", save)
	}
}

// unknown stands for a setting that the server does not tell.
const unknown = "\x00"

// setting is unknown where the server does not answer: many a hosted Redis has no CONFIG, or the user lacks the right.
func (s server) setting(ctx context.Context, name string) string {
	values, err := s.ConfigGet(ctx, name).Result()
	value, ok := values[name]
	if err != nil || !ok {
		s.log.Info("Redis does not tell a setting; check that it keeps what is accepted", "setting", name, "error", err)
		return unknown
	}
	return value
}

func fields(info string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			all[name] = value
		}
	}
	return all
}

func tooOld(version string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return n == 2 && (major < 6 || major == 6 && minor < 2)
}

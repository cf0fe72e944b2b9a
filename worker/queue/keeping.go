package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	askAgain = 5 * time.Second // while Redis does not answer
	askLimit = 10 * time.Second
)

// CheckKeeping asks Redis, once it answers, whether it keeps what it is given, and warns of each setting by which accepted
// stores could be lost. Only a Redis before 6.2, which cannot serve, is an error. It returns when ctx ends at the latest.
func CheckKeeping(ctx context.Context, client redis.UniversalClient, log *slog.Logger) error {
	for {
		err := eachMaster(ctx, client, func(ctx context.Context, node *redis.Client) error {
			return keeper{node, node.Options().Addr == "FailoverClient", log.With("redis", node.Options().Addr)}.check(ctx)
		})
		if err == nil || !transport(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(askAgain):
		}
	}
}

func eachMaster(ctx context.Context, client redis.UniversalClient, ask func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	switch c := client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, ask)
	case *redis.Client:
		return ask(ctx, c)
	}
	return nil
}

// keeper is one server that is asked.
type keeper struct {
	*redis.Client
	replicated bool
	log        *slog.Logger
}

func (k keeper) check(ctx context.Context) error {
	text, err := k.Info(ctx).Result()
	if err != nil {
		if transport(err) {
			return err
		}
		k.log.Info("Redis does not say whether it keeps what it is given", "error", err)
		return nil
	}
	info := fields(text)
	if v := info["redis_version"]; tooOld(v) {
		return fmt.Errorf("REDIS_URL leads to a Redis of version %s; 6.2 or later is needed", v)
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		k.log.Warn("Redis throws keys away when its memory is full, accepted stores and verdicts among them; set maxmemory-policy to noeviction", "maxmemory-policy", policy)
	}
	if info["aof_enabled"] == "0" {
		k.withoutAOF(ctx)
	}
	if k.replicated && k.setting(ctx, "min-replicas-to-write") == "0" {
		k.log.Warn("a master that has lost its replicas goes on accepting what a failover loses; set min-replicas-to-write to 1 and min-replicas-max-lag to 10")
	}
	return nil
}

func (k keeper) withoutAOF(ctx context.Context) {
	switch save := k.setting(ctx, "save"); save {
	case unsaid:
	case "":
		k.log.Warn("Redis keeps nothing on disk: its restart loses what was accepted and not begun; set appendonly to yes")
	default:
		k.log.Warn("Redis keeps snapshots only: its restart loses what was accepted since the last one; set appendonly to yes", "save", save)
	}
}

// unsaid is no value of a setting.
const unsaid = "\x00"

// setting is unsaid where the server does not tell: many a hosted Redis has no CONFIG, or a user may not ask.
func (k keeper) setting(ctx context.Context, name string) string {
	values, err := k.ConfigGet(ctx, name).Result()
	value, ok := values[name]
	if err != nil || !ok {
		k.log.Info("Redis does not tell a setting; see to it that what is accepted is kept", "setting", name, "error", err)
		return unsaid
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

package record

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/redis/go-redis/v9"

	"orchestrator/worker/redisconn"
)

// Installation returns the generated name of the installation whose records are in this Redis: a random one from the first
// call on. It is lost with the data of Redis.
func Installation(ctx context.Context, client redis.UniversalClient) (string, error) {
	var name *redis.StringCmd
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.SetNX(ctx, keyInstallation, "generated-"+strings.ToLower(rand.Text()), 0)
		name = p.Get(ctx, keyInstallation)
		return nil
	})
	if err != nil {
		return "", redisconn.WrapError(err)
	}
	return name.Val(), nil
}

package queue

import (
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// SharedClient lends a client to a part of asynq that wants to make its own.
type SharedClient struct{ redis.UniversalClient }

var _ asynq.RedisConnOpt = SharedClient{}

// MakeRedisClient returns the client itself. Close on it closes it for all its users.
func (s SharedClient) MakeRedisClient() any { return s.UniversalClient }

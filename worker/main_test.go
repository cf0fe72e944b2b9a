package worker

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"orchestrator/cmd/testkit/redistest"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // that a Redis which a test took away does not answer is no news
	goleak.VerifyTestMain(redistest.Main(m),
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")) // of a server that was killed: it ends within a second
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

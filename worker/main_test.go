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
	goleak.VerifyTestMain(redistest.Main(m), redistest.Redialing)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

package record

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"orchestrator/cmd/testkit/redistest"
)

// TestMain silences the client library, which logs each attempt of an outage, and finds goroutines left behind.
func TestMain(m *testing.M) {
	redis.SetLogger(silence{})
	goleak.VerifyTestMain(redistest.Main(m), redistest.Redialing)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

package redistest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// chosen is the topology that ORCH_TEST_REDIS asks for; "" is one server.
func chosen() string { return os.Getenv("ORCH_TEST_REDIS") }

// Parallel is t.Parallel where every test has a Redis of its own.
func Parallel(t *testing.T) {
	if chosen() == "" {
		t.Parallel()
	}
}

// shared is the topology of this process.
var shared struct {
	turn    sync.Mutex // of the test that has it
	url     string
	group   *group
	masters []*node
}

// Flush empties a Redis; a Cluster's client asks one node only when it is told to.
func Flush(ctx context.Context, client redis.UniversalClient) error {
	if c, ok := client.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return node.FlushAll(ctx).Err() })
	}
	return client.FlushAll(ctx).Err()
}

// patientOnes let no test see a failover, however busy the machine is.
const patientOnes = time.Minute

// turn waits until no other test has the topology, and empties it.
func turn(t testing.TB) string {
	t.Helper()
	shared.turn.Lock()
	t.Cleanup(shared.turn.Unlock)
	if shared.group == nil {
		if err := startShared(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range shared.masters {
		if err := n.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return shared.url
}

func startShared() error {
	switch chosen() {
	case "sentinel":
		s, err := startSentinel(patientOnes)
		if err != nil {
			return err
		}
		shared.url, shared.group, shared.masters = s.URL, s.group, s.data[:1]
	case "cluster":
		c, err := startCluster(patientOnes, 0)
		if err != nil {
			return err
		}
		shared.url, shared.group, shared.masters = c.URL, c.group, c.nodes
	default:
		return fmt.Errorf("ORCH_TEST_REDIS is %q; it must be sentinel, cluster or empty", chosen())
	}
	return nil
}

// Tests are those of a package, as testing.M is.
type Tests interface{ Run() int }

// Main is m with the end of what its tests have shared behind it.
func Main(m *testing.M) Tests { return main{m} }

type main struct{ *testing.M }

func (m main) Run() int {
	code := m.M.Run()
	if shared.group != nil {
		shared.group.stop()
	}
	return code
}

// Redialing is what a client of a Redis that a test took away leaves behind for up to a second after it was closed.
var Redialing = goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")

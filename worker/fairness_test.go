package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

func of(creator, id string) provision.Request {
	req := shop(id)
	req.CreatorID = creator
	return req
}

func perCreator(n, slots int) func(*worker.Config) {
	return func(c *worker.Config) { c.Limits.CreatorLimit, c.Slots.Provision = n, slots }
}

// counting sees how many provisions of each creator run at a time, and in which order stores begin.
type counting struct {
	worker.Runner

	mu      sync.Mutex
	running map[string]int
	most    map[string]int
	order   []string
}

func count(r worker.Runner) *counting {
	return &counting{Runner: r, running: map[string]int{}, most: map[string]int{}}
}

func (c *counting) Run(ctx context.Context, op provision.Op, s provision.Store, onStep func(provision.Step)) error {
	if op == provision.OpProvision {
		c.begin(s)
		defer c.end(s)
	}
	return c.Runner.Run(ctx, op, s, onStep)
}

func (c *counting) begin(s provision.Store) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[s.CreatorID]++
	c.most[s.CreatorID] = max(c.most[s.CreatorID], c.running[s.CreatorID])
	c.order = append(c.order, s.StoreID)
}

func (c *counting) end(s provision.Store) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[s.CreatorID]--
}

// seen is how many stores of a creator ran at a time at the most, and in which order all stores began.
func (c *counting) seen(creator string) (most int, order []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most[creator], slices.Clone(c.order)
}

// One creator has forty stores made. While two of them take their time the others wait, without a slot: those of another
// creator are not held up. In the end every store is READY.
func TestCreatorLimitDoesNotHoldUpAnotherCreator(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		h := hold(func(_ provision.Op, store provision.Store) bool { return store.CreatorID == "x" })
		c := count(h)
		for range 2 {
			s.work(t, runHandler(c), perCreator(2, 2))
		}
		var mass, few []string
		for i := range 40 {
			mass = append(mass, fmt.Sprintf("x%02d", i))
			s.accept(t, of("x", mass[i]))
		}
		for range 2 {
			receive(t, h.started, "a run begins")
		}
		for i := range 3 {
			few = append(few, fmt.Sprint("y", i))
			s.accept(t, of("y", few[i]))
		}
		for _, id := range few {
			s.backend.await(t, id, "READY")
		}
		eventually(t, "38 stores wait, and say for what", func() bool {
			waiting := 0
			for _, id := range mass {
				if state := s.state(t, id); state.CreatorInProgress == 2 && !state.Running {
					waiting++
				}
			}
			return waiting == 38
		})
		close(h.letGo)
		for _, id := range mass {
			s.backend.await(t, id, "READY")
			if state := s.settled(t, id); state.Attempts != 0 || state.Crashes != 0 || state.CreatorInProgress != 0 {
				t.Errorf("in the end: %+v", state)
			}
		}
		most, order := c.seen("x")
		if slices.Sort(order[:2]); most != 2 || !slices.Equal(order[:2], mass[:2]) {
			t.Errorf("%d stores of one creator ran at a time, and %v began first", most, order[:2])
		}
		if n := s.redis.Exists(t.Context(), "{orch}:creator-queue:x", "{orch}:creator-queue:y").Val(); n != 0 {
			t.Error("a creator queue is left behind")
		}
	})
}

// The slot belongs to the store: its worker dies, another one goes on, and only then the next store starts.
func TestCreatorLimitKeepsTheSlotOfADeadWorker(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		accepted := s.accept(t, of("x", "a"))
		if err := s.redis.LMove(t.Context(), "asynq:{provision}:pending", "asynq:{provision}:active", "RIGHT", "LEFT").Err(); err != nil {
			t.Fatal(err)
		}
		task := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: accepted.Generation, Cluster: provision.DefaultCluster}
		if result, _, err := s.Runs.Acquire(t.Context(), task, "dead", time.Second, false); err != nil || result != record.Acquired {
			t.Fatal(result, err)
		}
		s.accept(t, of("x", "b"))
		c := count(quick())
		s.work(t, runHandler(c), perCreator(1, 10))
		for _, id := range []string{"a", "b"} {
			s.backend.await(t, id, "READY")
			s.settled(t, id)
		}
		_, order := c.seen("x")
		if crashes := s.state(t, "a").Crashes; crashes != 1 || !slices.Equal(order, []string{"a", "b"}) {
			t.Errorf("after %d crashes the order was %v", crashes, order)
		}
	})
}

func TestCreatorLimitFreesTheSlotOfADelete(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		h := hold(func(_ provision.Op, store provision.Store) bool { return store.StoreID == "a" })
		c := count(h)
		s.work(t, runHandler(c), perCreator(1, 10))
		s.accept(t, of("x", "a"))
		receive(t, h.started, "the run begins")
		s.accept(t, of("x", "b"))
		eventually(t, "the second store waits", func() bool { return s.state(t, "b").CreatorInProgress == 1 })
		s.accept(t, remove("a"))
		receive(t, h.ended, "the run ends")
		s.backend.await(t, "b", "READY")
		close(h.letGo) // the delete is held as well
		s.backend.await(t, "a", "DELETED")
		if most, _ := c.seen("x"); most != 1 {
			t.Errorf("%d stores ran at a time", most)
		}
	})
}

func TestCreatorLimitSurvivesARestartOfRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Durable(t)
	s := newService(t, server.URL)
	h := hold(once())
	c := count(h)
	s.work(t, runHandler(c), perCreator(1, 10))
	s.accept(t, of("x", "a"))
	receive(t, h.started, "the run begins")
	s.accept(t, of("x", "b"))
	eventually(t, "the second store waits", func() bool { return s.state(t, "b").CreatorInProgress == 1 })
	server.Kill()
	server.Start()
	close(h.letGo)
	for _, id := range []string{"a", "b"} {
		s.backend.await(t, id, "READY")
		s.settled(t, id)
	}
	if most, order := c.seen("x"); most != 1 || !slices.Equal(order, []string{"a", "b"}) {
		t.Errorf("%d at a time, in the order %v", most, order)
	}
}

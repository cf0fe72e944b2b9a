package worker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/provision/mock"
)

// The server that has the records is killed in the middle of a run of many stores, and a replica takes its place. What
// was accepted comes to one outcome. Replication is asynchronous, so that what was accepted in the last moment before may
// be lost; then it is named.
func TestWorkerSurvivesAFailover(t *testing.T) {
	var url string
	var kill func()
	switch os.Getenv("ORCH_TEST_REDIS") {
	case "sentinel":
		r := redistest.StartSentinel(t)
		url, kill = r.URL, r.KillMaster
	case "cluster":
		r := redistest.StartCluster(t)
		url, kill = r.URL, func() { r.KillMasterOf("{orch}:stores") }
	default:
		t.Skip("only where Redis fails over: make redis-topologies")
	}
	s := newService(t, url)
	runner := mock.Cluster{StepTime: 20 * time.Millisecond}.Runner(map[string]provision.Engine{"toy": toy{}}, time.Minute, time.Minute)
	s.work(t, runHandler(runner))
	s.work(t, runHandler(runner))

	const stores = 60
	c := &clients{service: s, last: map[string]accepted{}, beforeKill: map[string]int{}}
	var all sync.WaitGroup
	for i := range stores {
		all.Go(func() { c.request(t, fmt.Sprintf("s%d", i), i%2 == 0) })
	}
	eventually(t, "a quarter of the stores is delivered", func() bool { calls, _ := s.backend.all(); return len(calls) >= stores/4 })
	calls, _ := s.backend.all()
	for _, call := range calls {
		c.beforeKill[call.store]++
	}
	killed := time.Now()
	kill()
	all.Wait()
	c.check(t, killed)
}

// accepted is the newest request of a store that was accepted.
type accepted struct {
	op         provision.Op
	generation int64
	at         time.Time
}

// clients are callers of the API who repeat what was not accepted.
type clients struct {
	*service
	mu         sync.Mutex
	last       map[string]accepted
	outage     time.Duration  // the longest that one of them was refused
	beforeKill map[string]int // how many callbacks of each store there were before the server was killed
}

// request provisions a store, asks once more, and deletes it, if it is to be gone in the end.
func (c *clients) request(t *testing.T, id string, gone bool) {
	pause := func() { time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond) }
	pause()
	c.acceptRetrying(t, shop(id))
	pause()
	c.acceptRetrying(t, shop(id))
	if gone {
		pause()
		c.acceptRetrying(t, remove(id))
	}
}

func (c *clients) acceptRetrying(t *testing.T, req provision.Request) {
	begun := time.Now()
	for {
		got, err := c.intake.Accept(t.Context(), req)
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.last[req.StoreID] = accepted{req.Action, got.Generation, time.Now()}
			c.outage = max(c.outage, time.Since(begun))
			return
		}
		if provision.CodeOf(err) != provision.CodeUnavailable || time.Since(begun) > waitLimit {
			t.Errorf("%s of %s, after %s: %v", req.Action, req.StoreID, time.Since(begun), err)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// check waits for the outcome of each store. Only what was accepted within the second before the end of the old server may
// have been lost with it.
func (c *clients) check(t *testing.T, killed time.Time) {
	t.Helper()
	lost, twice := 0, 0
	for id, want := range c.last {
		final := provision.StatusReady
		if want.op == provision.OpDelete {
			final = provision.StatusDeleted
		}
		if state, ok, err := c.Requests.Store(t.Context(), id); err != nil || !ok || state.Generation != want.generation {
			if err == nil && want.at.Before(killed.Add(50*time.Millisecond)) && want.at.After(killed.Add(-time.Second)) {
				t.Logf("lost with the server, as asynchronous replication may: %s of %s, accepted %s before: on record %d, accepted %d", want.op, id, killed.Sub(want.at), state.Generation, want.generation)
				continue
			}
			lost++
			t.Errorf("%s: on record is generation %d, accepted was %d (%v)", id, state.Generation, want.generation, err)
			continue
		}
		c.settled(t, id)
		twice += c.checkCallbacks(t, id, want, final)
	}
	t.Logf("%d stores, lost %d, delivered under two ids %d; the longest that a request was refused: %s", len(c.last), lost, twice, c.outage.Round(time.Millisecond))
}

// checkCallbacks checks the callbacks of a store, and returns how many generations were delivered under more than one id.
func (c *clients) checkCallbacks(t *testing.T, id string, want accepted, final provision.Status) (twice int) {
	t.Helper()
	calls := c.backend.of(id)
	if len(calls) == 0 {
		t.Errorf("%s: nothing was delivered", id)
		return 0
	}
	if last := calls[len(calls)-1]; last.generation != want.generation || last.status != string(final) {
		t.Errorf("%s: delivered last was %s of generation %d, want %s of %d", id, last.status, last.generation, final, want.generation)
	}
	ids, before, back := map[int64]string{}, int64(0), 0
	for n, call := range calls {
		if call.status != "READY" && call.status != "DELETED" {
			t.Errorf("%s: delivered %s: %s", id, call.status, call.err)
		}
		if call.sequence < before {
			// The record may have lost the last outcome with the server. Then it counts on from the one before, once.
			if back++; n < c.beforeKill[id] || back > 1 || call.generation < calls[n-1].generation {
				t.Errorf("%s: sequence %d is delivered after %d", id, call.sequence, before)
			}
		}
		before = call.sequence
		if known, ok := ids[call.generation]; ok && known != call.id {
			twice++
		}
		ids[call.generation] = call.id
	}
	return twice
}

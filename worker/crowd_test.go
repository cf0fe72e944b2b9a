package worker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
)

// The requests of many stores change while workers come and go. The request accepted last decides, a generation
// has one outcome, and the outcomes of a store are delivered in order.
func TestWorkerDeliversOneOutcomePerGenerationToManyStores(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		url    func(testing.TB) string
		stores int
	}{"miniredis": {redistest.Mini, 40}, "redis": {redistest.Real, 200}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, c.url(t))
			stop := s.work(t)
			s.work(t)
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			var requests sync.WaitGroup
			accepted := make([][]acceptedRequest, c.stores)
			for i := range c.stores {
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				requests.Go(func() { accepted[i] = s.acceptRandom(t, fmt.Sprintf("s%d", i), random) })
			}
			time.Sleep(50 * time.Millisecond) // in the middle of it; when exactly does not matter
			stop()
			s.work(t)
			requests.Wait()
			if t.Failed() {
				return
			}
			for i := range c.stores {
				id := fmt.Sprintf("s%d", i)
				s.settled(t, id)
				// A POST that was cut off by the stop may have arrived: it comes again as it was.
				checkCallbacks(t, id, accepted[i], slices.Compact(s.backend.of(id)))
			}
		})
	}
}

// acceptedRequest is a request that was accepted.
type acceptedRequest struct {
	op         provision.Op
	generation int64
}

// acceptRandom changes a store's request up to four times, with little time in between.
func (s *service) acceptRandom(t *testing.T, id string, random *rand.Rand) (accepted []acceptedRequest) {
	for range 1 + random.IntN(4) {
		req := shop(id)
		switch random.IntN(3) {
		case 0:
			req = remove(id)
		case 1:
			req.Settings.Title = "Another title"
		}
		answer, err := s.intake.Accept(t.Context(), req)
		if err != nil {
			t.Errorf("store %s: %v", id, err)
			return accepted
		}
		if !answer.Joined {
			accepted = append(accepted, acceptedRequest{req.Action, answer.Generation})
		}
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
	}
	return accepted
}

func checkCallbacks(t *testing.T, id string, accepted []acceptedRequest, calls []delivered) {
	t.Helper()
	for i, c := range calls {
		at := slices.IndexFunc(accepted, func(w acceptedRequest) bool { return w.generation == c.generation })
		if at < 0 || provision.Status(c.status) != accepted[at].op.Success() {
			t.Errorf("store %s: delivered %+v, accepted %+v", id, c, accepted)
		}
		if i > 0 && (c.generation <= calls[i-1].generation || c.sequence <= calls[i-1].sequence || c.id == calls[i-1].id) {
			t.Errorf("store %s: delivered %+v after %+v", id, c, calls[i-1])
		}
	}
	last := accepted[len(accepted)-1]
	if n := len(calls); n == 0 || calls[n-1].generation != last.generation {
		t.Errorf("store %s: delivered %+v, accepted last %+v", id, calls, last)
	}
	for _, w := range slices.Backward(accepted) {
		if w.op == provision.OpDelete { // the newest delete; it is superseded by nothing
			if !slices.ContainsFunc(calls, func(c delivered) bool { return c.generation == w.generation }) {
				t.Errorf("store %s: delivered %+v, and not the end of %+v", id, calls, w)
			}
			break
		}
	}
}

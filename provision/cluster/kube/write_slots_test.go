package kube

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
)

// slotsOf is a client that has nothing but write slots.
func slotsOf(n int) *Client { return &Client{writes: newWriteSlots(newWriteLimit(n), unobserved{})} }

func TestClientWriteWaitsForASlotOrTheContext(t *testing.T) {
	c := slotsOf(1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := provision.Errorf(provision.CodeSuperseded, "newer")
	inside := func() error {
		cancel(cause)
		return c.Write(ctx, func() error { t.Error("it ran without a slot"); return nil })
	}
	wantCode(t, c.Write(t.Context(), inside), provision.CodeSuperseded)
	wantCode(t, c.Write(ctx, func() error { t.Error("it ran for a run that has ended"); return nil }), provision.CodeSuperseded)
	if err := c.Write(t.Context(), func() error { return nil }); err != nil {
		t.Errorf("the slot was not given back: %v", err)
	}
}

func TestATurnIsOneSlotForAllItsWrites(t *testing.T) {
	c, wrote := slotsOf(1), 0
	err := c.Turn(t.Context(), func(ctx context.Context) error {
		for range 2 {
			if err := c.Write(ctx, func() error { wrote++; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || wrote != 2 {
		t.Errorf("%v after %d writes", err, wrote)
	}
	checkIdle(t, c.writes)
}

// held takes all slots of a client and returns what gives them back.
func held(t *testing.T, c *Client) (free func()) {
	t.Helper()
	taken := c.writes.limit.now
	for range taken {
		if err := c.writes.acquire(t.Context(), provision.WritesOf(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for range taken {
			c.writes.release(provision.WriteFinish)
		}
	}
}

// queued has writes wait in this order, and returns the order in which they run once there are slots.
func queued(t *testing.T, c *Client, writes ...provision.Writes) (order []provision.Writes) {
	t.Helper()
	free := held(t, c)
	var all sync.WaitGroup
	for _, w := range writes {
		all.Go(func() {
			err := c.Write(provision.WithWrites(t.Context(), w), func() error {
				order = append(order, w)
				time.Sleep(time.Millisecond)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
	}
	free()
	all.Wait()
	return order
}

func TestWritesOfTheStoreThatWasAcceptedFirstGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := func(since int64) provision.Writes { return provision.Writes{Class: provision.WriteBegin, Since: since} }
		order := queued(t, slotsOf(1), begin(3), begin(1), begin(4), begin(2), begin(1))
		if want := []provision.Writes{begin(1), begin(1), begin(2), begin(3), begin(4)}; !slices.Equal(order, want) {
			t.Errorf("they ran in the order %v", order)
		}
	})
}

// TestWhatHasBegunIsFinishedFirst is a burst: each store writes three times to begin, waits for its pods, and writes twice to finish.
func TestWhatHasBegunIsFinishedFirst(t *testing.T) {
	const stores, slots = 60, 4
	synctest.Test(t, func(t *testing.T) {
		c, start := slotsOf(slots), time.Now()
		var mu sync.Mutex
		var all sync.WaitGroup
		var ended []time.Duration
		begun, most := 0, 0
		count := func(change int) {
			mu.Lock()
			defer mu.Unlock()
			begun += change
			most = max(most, begun)
		}
		write := func(ctx context.Context, took time.Duration, then func()) {
			if err := c.Write(ctx, func() error { then(); time.Sleep(took); return nil }); err != nil {
				t.Error(err)
			}
			time.Sleep(took / 4) // reads and Redis, without a slot
		}
		for i := range stores {
			all.Go(func() {
				ctx := provision.WithWrites(t.Context(), provision.Writes{Class: provision.WriteBegin, Since: int64(i)})
				write(ctx, 10*time.Millisecond, func() { count(1) })
				write(ctx, 10*time.Millisecond, func() {})
				write(ctx, 200*time.Millisecond, func() {})
				count(-1)
				time.Sleep(100 * time.Millisecond) // pods
				write(t.Context(), 10*time.Millisecond, func() {})
				write(t.Context(), 10*time.Millisecond, func() {})
				mu.Lock()
				ended = append(ended, time.Since(start))
				mu.Unlock()
			})
		}
		all.Wait()
		half, late := ended[stores/2], ended[stores*95/100]
		if ratio := float64(half) / float64(late); ratio > 0.6 {
			t.Errorf("half of the stores took %s, 95 %% of them %s: %.2f", half, late, ratio)
		}
		if most > 4*slots { // all of them, if what has begun did not come first; which of two that come at once is first, is chance
			t.Errorf("%d stores had begun at the same time", most)
		}
		// 240 ms of slots for a store, and what the last one does after it: no slot stood still.
		if busy := stores*240*time.Millisecond/slots + 500*time.Millisecond; ended[stores-1] > busy {
			t.Errorf("all took %s, more than %s", ended[stores-1], busy)
		}
	})
}

func TestEachClassThatWaitsHasItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slotsOf(1)
		var waiting []provision.Writes
		for range 40 {
			for class := range weights {
				waiting = append(waiting, provision.Writes{Class: class})
			}
		}
		order := queued(t, c, waiting...)
		for from := 0; from < 46; from += 23 { // two rounds, until the greatest share has no more to do
			got := map[provision.WriteClass]float64{}
			for _, w := range order[from : from+23] {
				got[w.Class]++
			}
			if !maps.Equal(got, weights) {
				t.Errorf("of the slots from %d on, the classes had %v", from, got)
			}
		}
	})
}

func TestAClassDoesNotMakeUpForWhatItDidNotAskFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slotsOf(1)
		for range 100 {
			if err := c.Write(provision.WithWrites(t.Context(), provision.Writes{Class: provision.WriteBegin}), func() error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		var waiting []provision.Writes
		for range 20 {
			waiting = append(waiting, provision.Writes{Class: provision.WriteDelete}, provision.Writes{Class: provision.WriteBegin})
		}
		deletes := 0
		for _, w := range queued(t, c, waiting...)[:12] {
			if w.Class == provision.WriteDelete {
				deletes++
			}
		}
		if deletes < 3 || deletes > 5 {
			t.Errorf("%d of 12 slots went to deletes, whose share is a third", deletes)
		}
	})
}

func TestMaintenanceHasHalfOfTheSlotsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for slots, most := range map[int]int{1: 1, 2: 1, 5: 2, 8: 4} {
			c, stop := slotsOf(slots), make(chan struct{})
			var running, begun atomic.Int64
			var all sync.WaitGroup
			write := func(class provision.WriteClass, do func()) {
				all.Go(func() {
					ctx := provision.WithWrites(t.Context(), provision.Writes{Class: class})
					if err := c.Write(ctx, func() error { do(); <-stop; return nil }); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			for range 2 * slots {
				write(provision.WriteMaintenance, func() { running.Add(1) })
			}
			if n := running.Load(); n != int64(most) {
				t.Errorf("of %d slots, maintenance had %d", slots, n)
			}
			write(provision.WriteBegin, func() { begun.Add(1) })
			if begun.Load() == 0 && slots > 1 {
				t.Errorf("%d slots, and a store waits for maintenance alone", slots)
			}
			close(stop)
			all.Wait()
		}
	})
}

// TestAWriteThatIsGivenUpTakesNoSlot: neither one that still waits, nor one that is given a slot while it leaves.
func TestAWriteThatIsGivenUpTakesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slotsOf(1)
		free := held(t, c)
		ctx, cancel := context.WithCancelCause(t.Context())
		gone, ended := errors.New("superseded"), make(chan error)
		for range 3 {
			go func() { ended <- c.Write(ctx, func() error { t.Error("it ran"); return nil }) }()
		}
		synctest.Wait()
		cancel(gone)
		for range 3 {
			if err := <-ended; err != gone {
				t.Errorf("it ended with %v", err)
			}
		}
		late := c.writes.enter(provision.Writes{Class: provision.WriteBegin})
		next := c.writes.enter(provision.Writes{Class: provision.WriteBegin})
		free()
		<-late.granted
		c.writes.leave(late, provision.WriteBegin)
		<-next.granted
		c.writes.release(provision.WriteBegin)
		checkIdle(t, c.writes)
	})
}

// checkIdle reports what is left behind where nothing runs or waits.
func checkIdle(t *testing.T, s *writeSlots) {
	t.Helper()
	if s.running != 0 {
		t.Errorf("%d slots are taken", s.running)
	}
	for class, queue := range s.classes {
		if queue.running != 0 || len(queue.waiting) != 0 {
			t.Errorf("of class %s, %d run and %d wait", class, queue.running, len(queue.waiting))
		}
	}
}

// TestWriteSlotsUnderRandomLoad: never more than the slots run, no write waits for ever, and nothing is left behind.
func TestWriteSlotsUnderRandomLoad(t *testing.T) {
	const slots = 3
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random, c := rand.New(rand.NewPCG(seed, 1)), slotsOf(slots)
			var mu sync.Mutex
			var all sync.WaitGroup
			running := 0
			for range 300 {
				w := provision.Writes{Class: byWeight[random.IntN(len(byWeight))], Since: random.Int64N(10)}
				took, patience := time.Duration(random.IntN(50))*time.Millisecond, time.Duration(random.IntN(4000))*time.Millisecond
				all.Go(func() {
					ctx, cancel := context.WithTimeout(provision.WithWrites(t.Context(), w), patience)
					defer cancel()
					_ = c.Write(ctx, func() error {
						mu.Lock()
						running++
						if running > slots {
							t.Errorf("%d writes run", running)
						}
						mu.Unlock()
						time.Sleep(took)
						mu.Lock()
						running--
						mu.Unlock()
						return nil
					})
				})
				time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
			}
			all.Wait()
			checkIdle(t, c.writes)
		})
	}
}

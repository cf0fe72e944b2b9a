package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/worker/record"
)

func TestLeaseManagerRetriesReleasesUntilRedisAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.releaseErr = errAway
		m, l := acquired(t, r)
		m.release(l, record.RunEnd{Counted: true})
		m.release(newEndedLease(m), record.RunEnd{Ended: true})

		ctx, cancel := context.WithCancel(t.Context())
		go m.retryReleases(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		tried := len(r.ends)
		r.mu.Lock()
		r.releaseErr = nil
		r.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if paid := r.ends[tried:]; len(paid) != 2 || !paid[0].Counted || !paid[1].Ended {
			t.Errorf("given back: %+v", paid)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(r.ends) != tried+2 || len(m.pending) != 0 {
			t.Errorf("given back %d times, %d still pending", len(r.ends)-tried, len(m.pending))
		}
		if tried > 70 {
			t.Errorf("Redis was asked %d times in a minute of its absence", tried)
		}
		cancel()
		synctest.Wait()
	})
}

// newEndedLease is a lease whose run has ended.
func newEndedLease(m *leaseManager) *lease {
	l := newLease(context.Background(), m, aRun("second"), time.Now())
	go l.renewLoop()
	return l
}

func TestLeaseManagerReleasesALeaseWhoseAnswerWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.acquire = func(string) (record.AcquireResult, record.Run, error) { return "", record.Run{}, errAway }
		r.releaseErr = errAway
		m := newLeaseManager(r, false, quiet())
		if _, _, err := m.acquire(t.Context(), task); err == nil {
			t.Fatal("it was acquired")
		}
		r.releaseErr = nil
		m.retryAll()
		if len(m.pending) != 0 || len(r.ends) == 0 || r.ends[len(r.ends)-1].Counted {
			t.Errorf("%d still pending, released %+v", len(m.pending), r.ends)
		}
	})
}

// A worker that stops while Redis is away waits for a moment: what it does not release counts as a crash.
func TestLeaseManagerReleasesAllAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.releaseErr = errAway
		m, l := acquired(t, r)
		m.release(l, record.RunEnd{})
		time.AfterFunc(2*time.Second, func() { r.mu.Lock(); r.releaseErr = nil; r.mu.Unlock() })
		start := time.Now()
		m.releaseAll(lastReleases)
		if took := time.Since(start); len(m.pending) != 0 || took > 3*time.Second {
			t.Errorf("%d still pending after %s", len(m.pending), took)
		}
		r.releaseErr = errAway
		m.releaseSoon(l.run, record.RunEnd{})
		start = time.Now()
		if m.releaseAll(lastReleases); time.Since(start) > lastReleases+time.Second {
			t.Errorf("it waited %s for a Redis that is away", time.Since(start))
		}
	})
}

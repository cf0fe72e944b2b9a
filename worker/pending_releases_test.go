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

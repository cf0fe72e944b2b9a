package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/worker/record"
)

func TestAGateThatWasNotGivenBackIsGivenBackOnceRedisAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords()
		r.leave = errAway
		g, p := entered(t, r)
		g.release(p, record.RunEnd{Counted: true})
		g.release(newDeadPass(g), record.RunEnd{Ended: true})

		ctx, cancel := context.WithCancel(t.Context())
		go g.retryReleases(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		tried := len(r.exits)
		r.mu.Lock()
		r.leave = nil
		r.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if paid := r.exits[tried:]; len(paid) != 2 || !paid[0].Counted || !paid[1].Ended {
			t.Errorf("given back: %+v", paid)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(r.exits) != tried+2 || len(g.pending) != 0 {
			t.Errorf("given back %d times, %d still owed", len(r.exits)-tried, len(g.pending))
		}
		if tried > 70 {
			t.Errorf("Redis was asked %d times in a minute of its absence", tried)
		}
		cancel()
		synctest.Wait()
	})
}

// newDeadPass is a pass whose run has ended.
func newDeadPass(g *leaseManager) *lease {
	p := newLease(context.Background(), g, aRun("second"), time.Now())
	go p.renewLoop()
	return p
}

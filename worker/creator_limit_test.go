package worker

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

func TestAStoreWithoutAPlaceGoesBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.records.enter = func(string) (record.AcquireResult, record.Run, error) {
			return record.AcquireThrottled, record.Run{}, nil
		}
		start := time.Now()
		accepted := strconv.FormatInt(start.Add(-time.Minute).UnixMilli(), 10)
		task := asynq.NewTask(queue.TypeOf(queue.QueueProvision), []byte(`{"store_id":"s","generation":`+accepted+`}`))
		reply := &replied{r.ProcessTask(t.Context(), task)}
		if !reply.again() || reply.counted() || time.Since(start) != 0 || len(r.verdicts)+len(r.exits) != 0 {
			t.Errorf("asynq is told %v after %s", reply.err, time.Since(start))
		}
		if d := reply.delay(); d < 30*time.Second || d > 90*time.Second {
			t.Errorf("accepted a minute ago, tried again in %s", d)
		}
	})
}

func TestAStoreAsksForItsPlaceMoreAndMoreRarely(t *testing.T) {
	for waited, most := range map[time.Duration]time.Duration{-time.Hour: 3 * time.Second, 0: 3 * time.Second, time.Minute: 90 * time.Second,
		time.Hour: 450 * time.Second, 1 << 62: 450 * time.Second} {
		for range 50 {
			if d := throttleDelay(waited); d < most/3 || d > most {
				t.Fatalf("after %s in line it asks again in %s, want %s to %s", waited, d, most/3, most)
			}
		}
	}
}

// A delete that is let in makes a place; the store that may have it begins before the delete has ended.
func TestAnEntryThatMakesAPlaceWakesWhoWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.runner = returns(nil)
		r.records.enter = withRun(func(run *record.Run) {
			run.Next = []queue.Task{{Op: provision.OpProvision, StoreID: "other", Generation: 3}}
		})
		r.process(t, t.Context())
		woken, ruled := slices.Index(r.events, "revive soon 3.other"), slices.Index(r.events, "verdict")
		if woken < 0 || woken > ruled {
			t.Errorf("events %v", r.events)
		}
	})
}

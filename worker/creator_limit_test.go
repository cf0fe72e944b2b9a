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

func TestRunHandlerGivesAThrottledTaskBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.records.acquire = func(string) (record.AcquireResult, record.Run, error) {
			return record.AcquireThrottled, record.Run{}, nil
		}
		start := time.Now()
		accepted := strconv.FormatInt(start.Add(-time.Minute).UnixMilli(), 10)
		task := asynq.NewTask(queue.TypeOf(queue.QueueProvision), []byte(`{"store_id":"s","generation":`+accepted+`}`))
		reply := &replied{r.ProcessTask(t.Context(), task)}
		if !reply.again() || reply.counted() || time.Since(start) != 0 || len(r.recorded)+len(r.ends) != 0 {
			t.Errorf("asynq gets %v after %s", reply.err, time.Since(start))
		}
		if d := reply.delay(); d < 30*time.Second || d > 90*time.Second {
			t.Errorf("accepted a minute ago, tried again in %s", d)
		}
	})
}

func TestThrottleDelayGrows(t *testing.T) {
	for waited, most := range map[time.Duration]time.Duration{-time.Hour: 3 * time.Second, 0: 3 * time.Second, time.Minute: 90 * time.Second,
		time.Hour: 450 * time.Second, 1 << 62: 450 * time.Second} {
		for range 50 {
			if d := throttleDelay(waited); d < most/3 || d > most {
				t.Fatalf("after %s of waiting it asks again in %s, want %s to %s", waited, d, most/3, most)
			}
		}
	}
}

// A delete that has acquired the lease frees a slot; the store that gets it begins before the delete has ended.
func TestRunHandlerRevivesTheStoreThatGetsTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.runner = returns(nil)
		r.records.acquire = withRun(func(run *record.Run) {
			run.Next = []queue.Task{{Op: provision.OpProvision, StoreID: "other", Generation: 3}}
		})
		r.process(t, t.Context())
		revived, recorded := slices.Index(r.events, "revive soon 3.other"), slices.Index(r.events, "record outcome")
		if revived < 0 || revived > recorded {
			t.Errorf("events %v", r.events)
		}
	})
}

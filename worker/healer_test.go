package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

type failedStores struct {
	*records
	failed []record.Failed
	asked  int
	err    error
}

func (f *failedStores) DueHeals(context.Context, string, time.Duration, int) ([]record.Failed, error) {
	f.asked++
	return f.failed, f.err
}

// TestHealerRunsWhatIsReady: and nothing else, nor anything where it is off.
func TestHealerRunsWhatIsReady(t *testing.T) {
	for name, within := range map[string]time.Duration{"on": time.Hour, "off": 0} {
		synctest.Test(t, func(t *testing.T) {
			task := func(id string) record.Failed {
				return record.Failed{Namespace: id, Task: queue.Task{Op: provision.OpProvision, StoreID: id, Generation: 7, Cluster: "default"}}
			}
			f := &failedStores{records: &records{}, failed: []record.Failed{task("ready"), task("pending")}}
			h := &healer{cluster: "default", within: within, complete: func(namespace string) bool { return namespace == "ready" }, records: f, queue: f, log: quiet()}
			ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
			defer cancel()
			h.run(ctx)
			if within == 0 && f.asked > 0 || within > 0 && !slices.Equal(f.events, []string{"revive soon 7.ready"}) {
				t.Errorf("%s: asked %d times, %v", name, f.asked, f.events)
			}
			f.err = errors.New("away")
			if err := h.round(t.Context()); err == nil {
				t.Error("a failure is not reported")
			}
		})
	}
}

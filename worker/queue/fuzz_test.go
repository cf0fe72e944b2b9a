package queue

import (
	"testing"

	"github.com/hibiken/asynq"

	"orchestrator/provision"
)

// FuzzParseTask reads arbitrary payloads: what is read is a task with a store and a generation, and reads as itself again.
func FuzzParseTask(f *testing.F) {
	for _, seed := range []string{`{"store_id":"s","generation":7}`, `{"store_id":"s","generation":7,"sequence":3}`, `{}`, `[]`, `null`, `{"generation":-1}`, `{"store_id":1}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, queue := range []string{QueueProvision, QueueDelete} {
			task, err := ParseTask(asynq.NewTask(TypeOf(queue), payload), provision.DefaultCluster)
			if err == nil && (task.StoreID == "" || task.Generation <= 0 || task.Queue() != queue) {
				t.Errorf("%s became %+v", payload, task)
			}
		}
		if task, err := ParseCallbackTask(asynq.NewTask(TypeOf(QueueCallback), payload), provision.AnyCluster); err == nil && task.StoreID == "" {
			t.Errorf("%s became %+v", payload, task)
		}
	})
}

package queue

import (
	"testing"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
)

func TestDepthIsThatOfEachQueue(t *testing.T) {
	client, err := Connect(redistest.Real(t), ForAnswers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	tasks := NewTasks(client)
	ctx := t.Context()
	if err := tasks.Enqueue(ctx, Task{StoreID: "shop", Generation: 1, Op: provision.OpProvision}); err != nil {
		t.Fatal(err)
	}
	all, err := tasks.Depths(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pending := map[string]int{}
	for _, d := range all {
		pending[d.Queue] = d.Tasks["pending"]
	}
	if len(all) != 3 || pending[QueueProvision] != 1 || pending[QueueDelete] != 0 {
		t.Errorf("the queues hold %v", all)
	}
}

package worker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/provision/mock"
	"orchestrator/worker/queue"
)

func next(id string) queue.Task {
	return queue.Task{Op: provision.OpProvision, StoreID: id, Generation: 9}
}

func TestSpeakerMakesEveryTaskThatIsOwed(t *testing.T) {
	r := newRecords()
	r.untold = []queue.CallTask{{StoreID: "s", Sequence: 1}, {StoreID: "s", Sequence: 2}}
	(&speaker{r, r, mock.Memory{}, quiet()}).speak(t.Context(), "s", next("s"), next("other"))
	if diff := cmp.Diff([]string{"enqueue call", "enqueue call", "revive soon 9.s", "revive soon 9.other"}, r.events); diff != "" {
		t.Error(diff)
	}
}

func TestWhatASpeakerCannotDoIsLeftToTheSweeper(t *testing.T) {
	r := newRecords()
	r.untold = []queue.CallTask{{StoreID: "s", Sequence: 1}, {StoreID: "s", Sequence: 2}}
	r.queue = errors.New("the queue is away")
	r.verdict = func() (queue.Ruling, []queue.Task, error) { return queue.Written, []queue.Task{next("s")}, nil }
	if err := (&speaker{r, r, mock.Memory{}, quiet()}).rule(aRun("x"), provision.StatusReady, "", ""); err != nil {
		t.Errorf("the verdict is written, and the run is told %v", err)
	}
	if diff := cmp.Diff([]string{"verdict", "enqueue call"}, r.events); diff != "" {
		t.Error(diff)
	}
}

func TestAVerdictWakesTheProvisionThatWaitedForIt(t *testing.T) {
	r := newRecords()
	r.verdict = func() (queue.Ruling, []queue.Task, error) { return queue.Stands, []queue.Task{next("s")}, nil }
	if err := (&speaker{r, r, mock.Memory{}, quiet()}).rule(aRun("x"), provision.StatusDeleted, "", ""); err != nil {
		t.Fatal(err)
	}
	if r.count("revive soon 9.s") != 1 {
		t.Errorf("events %v", r.events)
	}
}

package worker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/provision/mock"
	"orchestrator/worker/queue"
)

func TestSpeakerMakesEveryTaskThatIsOwed(t *testing.T) {
	r := newRecords()
	r.untold = []queue.CallTask{{StoreID: "s", Sequence: 1}, {StoreID: "s", Sequence: 2}}
	(&speaker{r, r, mock.Memory{}, quiet()}).speak(t.Context(), "s", 9)
	if diff := cmp.Diff([]string{"enqueue call", "enqueue call", "revive soon 9.s"}, r.events); diff != "" {
		t.Error(diff)
	}
}

func TestWhatASpeakerCannotDoIsLeftToTheSweeper(t *testing.T) {
	r := newRecords()
	r.untold = []queue.CallTask{{StoreID: "s", Sequence: 1}, {StoreID: "s", Sequence: 2}}
	r.queue = errors.New("the queue is away")
	r.verdict = func() (queue.Ruling, int64, error) { return queue.Written, 9, nil }
	if err := (&speaker{r, r, mock.Memory{}, quiet()}).rule(aRun("x"), provision.StatusReady, "", ""); err != nil {
		t.Errorf("the verdict is written, and the run is told %v", err)
	}
	if diff := cmp.Diff([]string{"verdict", "enqueue call"}, r.events); diff != "" {
		t.Error(diff)
	}
}

func TestAVerdictWakesTheProvisionThatWaitedForIt(t *testing.T) {
	r := newRecords()
	r.verdict = func() (queue.Ruling, int64, error) { return queue.Stands, 9, nil }
	if err := (&speaker{r, r, mock.Memory{}, quiet()}).rule(aRun("x"), provision.StatusDeleted, "", ""); err != nil {
		t.Fatal(err)
	}
	if r.count("revive soon 9.s") != 1 {
		t.Errorf("events %v", r.events)
	}
}

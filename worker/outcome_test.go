package worker

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/provision/mock"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

func next(id string) queue.Task {
	return queue.Task{Op: provision.OpProvision, StoreID: id, Generation: 9}
}

func TestSpeakerMakesEveryTaskThatIsOwed(t *testing.T) {
	r := newRecords()
	r.untold = []queue.CallbackTask{{StoreID: "s", Sequence: 1}, {StoreID: "s", Sequence: 2}}
	(&outcomeRecorder{r, r, r, mock.ClusterState{}, quiet()}).enqueueCallbacks(t.Context(), "s", next("s"), next("other"))
	if diff := cmp.Diff([]string{"enqueue call", "enqueue call", "revive soon 9.s", "revive soon 9.other"}, r.events); diff != "" {
		t.Error(diff)
	}
}

func TestWhatASpeakerCannotDoIsLeftToTheSweeper(t *testing.T) {
	r := newRecords()
	r.untold = []queue.CallbackTask{{StoreID: "s", Sequence: 1}, {StoreID: "s", Sequence: 2}}
	r.queue = errors.New("the queue is away")
	r.verdict = func() (record.OutcomeResult, []queue.Task, error) {
		return record.OutcomeRecorded, []queue.Task{next("s")}, nil
	}
	if err := (&outcomeRecorder{r, r, r, mock.ClusterState{}, quiet()}).record(aRun("x"), provision.StatusReady, "", ""); err != nil {
		t.Errorf("the verdict is written, and the run is told %v", err)
	}
	if diff := cmp.Diff([]string{"verdict", "enqueue call"}, r.events); diff != "" {
		t.Error(diff)
	}
}

func TestAVerdictWakesTheProvisionThatWaitedForIt(t *testing.T) {
	r := newRecords()
	r.verdict = func() (record.OutcomeResult, []queue.Task, error) {
		return record.OutcomeUnchanged, []queue.Task{next("s")}, nil
	}
	if err := (&outcomeRecorder{r, r, r, mock.ClusterState{}, quiet()}).record(aRun("x"), provision.StatusDeleted, "", ""); err != nil {
		t.Fatal(err)
	}
	if r.count("revive soon 9.s") != 1 {
		t.Errorf("events %v", r.events)
	}
}

// notebook is a cluster that notes what it is to remember.
type notebook struct {
	mock.ClusterState
	verdicts []provision.Status
}

func (n *notebook) SaveOutcome(_ context.Context, _ provision.Store, v provision.Outcome) error {
	n.verdicts = append(n.verdicts, v.Status)
	return nil
}

func TestADeletedStoreIsRememberedWhereItsDataIs(t *testing.T) {
	for _, retain := range []bool{false, true} {
		r, run, cluster := newRecords(), aRun("x"), &notebook{}
		r.verdict = func() (record.OutcomeResult, []queue.Task, error) { return record.OutcomeRecorded, nil, nil }
		run.Store.RetainData = retain
		if err := (&outcomeRecorder{r, r, r, cluster, quiet()}).record(run, provision.StatusDeleted, "", ""); err != nil {
			t.Fatal(err)
		}
		if (len(cluster.verdicts) == 1) != retain {
			t.Errorf("with retain_data %t the cluster remembers %v", retain, cluster.verdicts)
		}
	}
}

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

func TestEnqueueCallbacksMakesATaskForEachPendingCallback(t *testing.T) {
	r := newRecords()
	r.pending = []queue.CallbackTask{{StoreID: "s", Sequence: 1}, {StoreID: "s", Sequence: 2}}
	(&outcomeRecorder{r, r, r, mock.ClusterState{}, quiet()}).enqueueCallbacks(t.Context(), "s", next("s"), next("other"))
	if diff := cmp.Diff([]string{"enqueue callback", "enqueue callback", "revive soon 9.s", "revive soon 9.other"}, r.events); diff != "" {
		t.Error(diff)
	}
}

func TestOutcomeRecorderLeavesFailedTasksToTheSweeper(t *testing.T) {
	r := newRecords()
	r.pending = []queue.CallbackTask{{StoreID: "s", Sequence: 1}, {StoreID: "s", Sequence: 2}}
	r.enqueueErr = errors.New("the queue is away")
	r.recordOutcome = func() (record.OutcomeResult, []queue.Task, error) {
		return record.OutcomeRecorded, []queue.Task{next("s")}, nil
	}
	if _, err := (&outcomeRecorder{r, r, r, mock.ClusterState{}, quiet()}).record(t.Context(), aRun("x"), provision.StatusReady, "", ""); err != nil {
		t.Errorf("the outcome is recorded, and the run gets %v", err)
	}
	if diff := cmp.Diff([]string{"record outcome", "enqueue callback"}, r.events); diff != "" {
		t.Error(diff)
	}
}

func TestOutcomeRecorderRevivesTheWaitingProvision(t *testing.T) {
	r := newRecords()
	r.recordOutcome = func() (record.OutcomeResult, []queue.Task, error) {
		return record.OutcomeUnchanged, []queue.Task{next("s")}, nil
	}
	if _, err := (&outcomeRecorder{r, r, r, mock.ClusterState{}, quiet()}).record(t.Context(), aRun("x"), provision.StatusDeleted, "", ""); err != nil {
		t.Fatal(err)
	}
	if r.count("revive soon 9.s") != 1 {
		t.Errorf("events %v", r.events)
	}
}

// savingState is a cluster that keeps the statuses that it saves.
type savingState struct {
	mock.ClusterState
	saved []provision.Status
}

func (n *savingState) SaveOutcome(_ context.Context, _ provision.Store, v provision.Outcome) error {
	n.saved = append(n.saved, v.Status)
	return nil
}

func TestOutcomeRecorderSavesDELETEDWhereDataIsRetained(t *testing.T) {
	for _, retain := range []bool{false, true} {
		r, run, cluster := newRecords(), aRun("x"), &savingState{}
		r.recordOutcome = func() (record.OutcomeResult, []queue.Task, error) { return record.OutcomeRecorded, nil, nil }
		run.Store.RetainData = retain
		if _, err := (&outcomeRecorder{r, r, r, cluster, quiet()}).record(t.Context(), run, provision.StatusDeleted, "", ""); err != nil {
			t.Fatal(err)
		}
		if (len(cluster.saved) == 1) != retain {
			t.Errorf("with retain_data %t the cluster has saved %v", retain, cluster.saved)
		}
	}
}

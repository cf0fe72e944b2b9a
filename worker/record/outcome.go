package record

import (
	"context"
	"encoding/json"
	"strconv"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// OutcomeResult is the result of [Runs.RecordOutcome].
type OutcomeResult string

// Recorded and Unchanged both mean that the generation's outcome is on record and its callback is pending or delivered.
const (
	OutcomeRecorded    OutcomeResult = "recorded"
	OutcomeUnchanged   OutcomeResult = "unchanged"    // an earlier outcome stays
	OutcomeSuperseded  OutcomeResult = "superseded"   // a newer request took this generation's place: there is no callback
	OutcomeNextCluster OutcomeResult = "next-cluster" // a delete has found nothing more here and continues on another cluster: next is its task there
	OutcomeOnHold      OutcomeResult = "on-hold"      // the store waits instead of failing: others have failed for the same cause
	OutcomeLeaseLost   OutcomeResult = "lost"         // the run no longer holds the lease: its outcome counts for nothing
)

// RecordOutcome records the outcome of the run's generation and adds its callback. The first outcome stays, except that a
// failure may become a success. next are the provisions that may begin now: the one that waited for this delete, and
// throttled ones that have a slot now. A provision that fails for a cause of the installation may be put on hold instead, see holds.go.
func (r *Runs) RecordOutcome(ctx context.Context, run Run, status provision.Status, code provision.Code, text string) (result OutcomeResult, next []queue.Task, err error) {
	id := run.Store.StoreID
	outputs, err := outputsText(run.Outputs)
	if err != nil {
		return "", nil, err
	}
	answer, err := r.runScript(ctx, recordOutcomeScript,
		[]string{keyStore(id), keyRunLease(id), keyCallbacks(id), keyHosts, keyNamespaces, keyOutstanding},
		id, string(run.Op), run.Store.Generation, run.Token, string(status), string(code), text, r.creatorLimit, run.Cluster, outputs, r.holdAfter, run.Edition, flag(run.Outdated), flag(r.heal), flag(run.RestoreRefused))
	if err != nil {
		return "", nil, err
	}
	result = OutcomeResult(answer[0])
	if result == OutcomeNextCluster {
		return result, tasksOf(provision.OpDelete, answer[1:]), nil
	}
	return result, tasksOf(provision.OpProvision, answer[1:]), nil
}

// outputsText is how outputs are kept; "" for none.
func outputsText(outputs provision.Outputs) (string, error) {
	if len(outputs) == 0 {
		return "", nil
	}
	text, err := json.Marshal(outputs)
	return string(text), err
}

// number parses what a script has formatted.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic("record: a script answered a number that does not parse: " + text)
	}
	return n
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

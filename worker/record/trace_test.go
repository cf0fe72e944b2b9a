package record

import (
	"testing"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

const aTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// acceptTraced accepts a request of this trace.
func (b *bench) acceptTraced(req provision.Request, trace string) (queue.Task, provision.Accepted) {
	b.Helper()
	a, err := b.records.Requests.Accept(provision.WithOrigin(b.ctx, provision.Origin{Trace: trace}), req, generationTimeout)
	return queue.Task{Op: req.Action, StoreID: req.StoreID, Generation: must(b, a, err).Generation, Cluster: a.Cluster}, a
}

func TestTheTraceOfARequestReachesItsRunsAndCallbacks(t *testing.T) {
	each(t, func(b *bench) {
		task, _ := b.acceptTraced(request("a"), aTrace)
		run := b.acquire(task, "one")
		if run.Trace != aTrace || !run.First {
			b.Errorf("the first run: trace %q, first %t", run.Trace, run.First)
		}
		b.release(run, RunEnd{Counted: true})
		run = b.acquire(task, "two")
		if run.Trace != aTrace || run.First {
			b.Errorf("the second run: trace %q, first %t", run.Trace, run.First)
		}
		b.wantOutcome(run, provision.StatusReady, OutcomeRecorded, 0)
		b.release(run, RunEnd{Ended: true})
		for _, call := range b.deliver("a") {
			if call.Trace != aTrace {
				b.Errorf("%s has trace %q", call.Status, call.Trace)
			}
		}
	})
}

func TestARequestThatJoinsLearnsTheOthersTrace(t *testing.T) {
	each(t, func(b *bench) {
		b.acceptTraced(request("a"), aTrace)
		if _, a := b.acceptTraced(request("a"), "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01"); !a.Joined || a.JoinedTrace != aTrace {
			b.Errorf("joined %t, trace %q", a.Joined, a.JoinedTrace)
		}
	})
}

func TestATraceEndsWithItsRequest(t *testing.T) {
	each(t, func(b *bench) {
		b.acceptTraced(request("a"), aTrace)
		task := b.accept(titled(request("a"), "another")) // by a service that makes no traces
		if run := b.acquire(task, "run"); run.Trace != "" || !run.First {
			b.Errorf("trace %q, first %t", run.Trace, run.First)
		}
		// A delete that a provision has superseded still ends: of its request, nothing is known.
		b.acceptTraced(request("b"), aTrace)
		deletion, _ := b.acceptTraced(deletion("b"), aTrace)
		b.acceptTraced(titled(request("b"), "once more"), aTrace)
		run := b.acquire(deletion, "delete")
		if run.Trace != "" {
			b.Errorf("the run of an older request has trace %q", run.Trace)
		}
		if result, _ := b.recordOutcome(run, provision.StatusDeleted); result != OutcomeRecorded {
			b.Fatal(result)
		}
		for _, call := range b.deliver("b") {
			if call.Trace != "" {
				b.Errorf("%s of an older request has trace %q", call.Status, call.Trace)
			}
		}
	})
}

func TestATraceDoesNotOutliveItsGenerationInARestore(t *testing.T) {
	each(t, func(b *bench) {
		task, _ := b.acceptTraced(request("a"), aTrace)
		task.Generation += 1000
		b.restore(savedState(task, "", false), Restored)
		if run := b.acquire(task, "run"); run.Trace != "" {
			b.Errorf("trace %q", run.Trace)
		}
	})
}

func TestALostStoreHasNoTrace(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		b.acceptTraced(onCluster("eu", request("a")), aTrace)
		b.lose("eu")
		b.endLost()
		if trace, err := b.redis.HExists(b.ctx, keyStore("a"), "trace").Result(); err != nil || trace {
			b.Errorf("the record has a trace: %t, %v", trace, err)
		}
		for _, call := range b.deliver("a") {
			if call.Trace != "" {
				b.Errorf("%s has trace %q", call.Status, call.Trace)
			}
		}
	})
}

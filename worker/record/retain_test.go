package record

import (
	"maps"
	"strings"
	"testing"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// ready ends a provision with what it has learned.
func (b *bench) ready(t queue.Task, outputs provision.Outputs) {
	b.Helper()
	run := b.acquire(t, "run-"+t.ID())
	run.Outputs = outputs
	b.wantOutcome(run, provision.StatusReady, OutcomeRecorded, 0)
	b.release(run, RunEnd{Ended: true})
}

func (b *bench) wantOutputs(when string, want provision.Outputs) {
	b.Helper()
	if got := b.state("a").Outputs; !maps.Equal(got, want) {
		b.Errorf("%s the outputs are %v, want %v", when, got, want)
	}
}

func TestRecordOutcomeKeepsTheOutputsOfTheLastREADY(t *testing.T) {
	each(t, func(b *bench) {
		one, two := provision.Outputs{"key": "1"}, provision.Outputs{"key": `"2"`}
		b.ready(b.accept(request("a")), one)
		b.wantOutputs("after READY", one)
		b.end(b.accept(request("a")), provision.StatusFailed)
		b.wantOutputs("after FAILED", one)
		b.ready(b.accept(request("a")), two)
		b.wantOutputs("after the next READY", two)
		b.ready(b.accept(request("a")), nil)
		b.wantOutputs("after a READY that has learned nothing", nil)
		b.ready(b.accept(request("a")), one)
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.wantOutputs("after DELETED", nil)
	})
}

func TestRestoreBringsBackOutputs(t *testing.T) {
	each(t, func(b *bench) {
		m := savedState(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 100, Cluster: provision.DefaultCluster}, provision.StatusReady, true)
		m.Outcome.Outputs = provision.Outputs{"key": "1"}
		b.restore(m, Restored)
		b.wantOutputs("after Redis was lost", m.Outcome.Outputs)
	})
}

// retained brings a store to DELETED with its data retained.
func (b *bench) retained(id string) queue.Task {
	b.Helper()
	b.end(b.accept(request(id)), provision.StatusReady)
	del := b.accept(retaining(id))
	b.end(del, provision.StatusDeleted)
	b.deliver(id)
	return del
}

func TestAcquireOfARetainingDelete(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		del := b.accept(retaining("a"))
		if again := b.accept(retaining("a")); again != del {
			b.Errorf("an equal delete became %s, want to join %s", again.ID(), del.ID())
		}
		next := b.accept(request("a"))
		run := b.acquire(del, "run")
		if !run.Store.RetainData || run.Store.Namespace != "store-a" {
			b.Errorf("the run is of %+v", run.Store)
		}
		b.wantOutcome(run, provision.StatusDeleted, OutcomeRecorded, next.Generation)
		b.release(run, RunEnd{Ended: true})
		if run := b.acquire(next, "next"); run.Store.Request != request("a") {
			b.Errorf("the provision after it is of %+v", run.Store)
		}
	})
}

func TestAcceptSupersedesARetainingDeleteByAPlainOne(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("a"))
		first := b.accept(retaining("a"))
		run := b.acquire(first, "run")
		second := b.accept(deletion("a"))
		b.wantOutcome(run, provision.StatusDeleted, OutcomeSuperseded, 0)
		b.release(run, RunEnd{})
		b.wantAcquire(first, AcquireSuperseded)
		if run := b.acquire(second, "other"); run.Store.RetainData || second.Generation <= first.Generation {
			b.Errorf("the run of %s after %s is of %+v", second.ID(), first.ID(), run.Store)
		}
	})
}

func TestAcceptRefusesRetainDataThatComesTooLate(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		del := b.accept(deletion("a"))
		if got := b.refused(retaining("a")); !strings.Contains(got, "retain_data comes too late") {
			b.Errorf("while a delete of the data is in progress: %q", got)
		}
		b.accept(request("a"))
		b.refused(retaining("a"))
		b.end(del, provision.StatusDeleteFailed)
		if run := b.acquire(b.accept(retaining("a")), "run"); !run.Store.RetainData {
			b.Error("after a delete that failed, what is left cannot be retained")
		}
	})
}

func TestRetainDataKeepsOwnersAndIdentity(t *testing.T) {
	each(t, func(b *bench) {
		b.retained("a")
		b.wantOwners(keyHosts, "a.example.com=")
		b.wantOwners(keyNamespaces, "store-a=a")
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl != -1 || b.outstanding("a") {
			b.Errorf("the record expires in %s, outstanding %t", ttl, b.outstanding("a"))
		}
		if s := b.state("a"); !s.RetainData || s.Status != provision.StatusDeleted || s.Namespace != "store-a" {
			b.Errorf("the state is %+v", s)
		}
		intruder := onHost(request("b"), "a.example.com")
		intruder.Namespace = "store-a"
		if got := b.refused(intruder); !strings.HasPrefix(got, "namespace is in use") {
			b.Errorf("another store in the namespace: %q", got)
		}
		for field, change := range map[string]func(*provision.Request){
			"engine":    func(r *provision.Request) { r.Engine = "medusa" },
			"name":      func(r *provision.Request) { r.Name = "other" },
			"namespace": func(r *provision.Request) { r.Namespace = "other" },
		} {
			req := request("a")
			change(&req)
			if got := b.refused(req); !strings.HasPrefix(got, field+" of store a may not change while its data is retained") {
				b.Errorf("%s changed: %q", field, got)
			}
		}
		b.end(b.accept(onHost(request("a"), "new.example.com")), provision.StatusReady)
		if s := b.state("a"); s.RetainData {
			b.Errorf("a store that lives: %+v", s)
		}
	})
}

func TestRetainDataEndsWithAPlainDelete(t *testing.T) {
	each(t, func(b *bench) {
		b.retained("a")
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.deliver("a")
		b.wantOwners(keyNamespaces, "store-a=")
		if ttl := b.redis.PTTL(b.ctx, keyStore("a")).Val(); ttl <= 0 {
			b.Error("the record never expires")
		}
		// Now there is nothing that could be retained, and so nothing that has to fit.
		b.end(b.accept(retaining("a")), provision.StatusDeleted)
		other := request("a")
		other.Engine, other.Namespace = "medusa", "elsewhere"
		b.accept(other)
	})
}

func TestRestoreARetainedStore(t *testing.T) {
	each(t, func(b *bench) {
		del := b.retained("a")
		m := savedState(del, provision.StatusDeleted, true)
		m.Store.RetainData = true
		b.restore(m, RestoreKnown)
		old := savedState(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: del.Generation - 1, Cluster: provision.DefaultCluster}, provision.StatusReady, true)
		b.restore(old, RestoreKnown) // brought back from a backup, perhaps: it is not for us to delete it
		b.loseData()
		b.restore(m, Restored)
		b.markComplete()
		b.wantOwners(keyHosts, "a.example.com=")
		b.wantOwners(keyNamespaces, "store-a=a")
		if s := b.state("a"); !s.RetainData || s.Status != provision.StatusDeleted || s.PendingCallbacks != 0 || b.outstanding("a") {
			b.Errorf("restored as %+v, outstanding %t", s, b.outstanding("a"))
		}
		b.wantAcquire(del, AcquireDone)
		req := request("a")
		req.Engine = "medusa"
		b.refused(req)
		b.accept(onHost(request("b"), "a.example.com"))
	})
}

func TestRestoreARetainingDelete(t *testing.T) {
	each(t, func(b *bench) {
		m := savedState(queue.Task{Op: provision.OpDelete, StoreID: "a", Generation: 100, Cluster: provision.DefaultCluster}, "", false)
		m.Store.RetainData = true
		b.restore(m, Restored)
		b.markComplete()
		if joined := b.accept(retaining("a")); joined.Generation != 100 {
			b.Errorf("an equal delete became generation %d", joined.Generation)
		}
		if run := b.acquire(queue.Task{Op: provision.OpDelete, StoreID: "a", Generation: 100, Cluster: provision.DefaultCluster}, "run"); !run.Store.RetainData {
			b.Errorf("the run is of %+v", run.Store)
		}
	})
}

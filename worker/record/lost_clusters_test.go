package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func (b *bench) lose(cluster string) {
	b.Helper()
	if err := b.records.Requests.LoseCluster(b.ctx, cluster); err != nil {
		b.Fatal(err)
	}
}

// endLost runs passes until all stores of lost clusters are ended, and returns how many were.
func (b *bench) endLost() (ended int) {
	b.Helper()
	for more := true; more; {
		var n int
		var err error
		if n, more, err = b.records.Recovery.EndLostStores(b.ctx, 2); err != nil {
			b.Fatal(err)
		}
		ended += n
	}
	return ended
}

// told are the callbacks of a store that are delivered now, without READY's password.
func (b *bench) told(id string) (told []string) {
	b.Helper()
	for _, c := range b.deliver(id) {
		if c.Task().Cluster != provision.AnyCluster && c.Status != provision.StatusReady {
			b.Errorf("%s of store %s waits in the queue of cluster %s", c.Status, id, c.Task().Cluster)
		}
		told = append(told, strings.TrimSpace(string(c.Status)+" "+string(c.Code)))
	}
	return told
}

func TestEveryStoreOfALostClusterEnds(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		here := func(id string) provision.Request { return onCluster("eu", request(id)) }
		b.endOn(b.accept(here("ready")), "eu", OutcomeRecorded)
		b.accept(here("underway"))
		b.endOn(b.accept(here("deleting")), "eu", OutcomeRecorded)
		b.accept(deletion("deleting"))
		b.endOn(b.accept(here("again")), "eu", OutcomeRecorded)
		b.accept(deletion("again"))
		b.accept(titled(here("again"), "waits for its delete"))
		failed := b.accept(here("failed"))
		b.wantOutcome(b.acquire(failed, "run"), provision.StatusFailed, OutcomeRecorded, 0)
		b.endOn(b.accept(here("stuck")), "eu", OutcomeRecorded)
		b.wantOutcome(b.acquire(b.accept(deletion("stuck")), "run"), provision.StatusDeleteFailed, OutcomeRecorded, 0)
		b.endOn(b.accept(here("kept")), "eu", OutcomeRecorded)
		b.endOn(b.accept(retaining("kept")), "eu", OutcomeRecorded)
		b.endOn(b.accept(onCluster("us", request("elsewhere"))), "us", OutcomeRecorded)
		searching := b.accept(deletion("unknown"))
		all := []string{"ready", "underway", "deleting", "again", "failed", "stuck", "kept", "elsewhere"}
		for _, id := range all {
			b.deliver(id)
		}
		if searching.Cluster != "eu" {
			t.Fatalf("the search begins on %s", searching.Cluster)
		}

		b.lose("eu")
		b.lose("eu") // its answer was lost
		if n := b.endLost(); n != 8 {
			t.Errorf("%d stores were ended, want 8", n)
		}
		if n := b.endLost(); n != 0 {
			t.Errorf("%d stores were ended twice", n)
		}
		want := map[string][]string{"ready": {"FAILED lost"}, "underway": {"FAILED lost"}, "deleting": {"DELETED"}, "again": {"DELETED", "FAILED lost"},
			"failed": nil, "stuck": {"DELETED"}, "kept": nil, "elsewhere": nil}
		got := map[string][]string{}
		for _, id := range all {
			got[id] = b.told(id)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if next := b.inspect("unknown").Runs; len(next) != 1 || next[0].Cluster != "us" {
			t.Errorf("the search goes on with %v", next)
		}
		if s := b.state("ready"); s.Status != provision.StatusFailed || s.Code != provision.CodeLost || !strings.Contains(s.Error, "cluster eu was given up") || s.Host == "" {
			t.Errorf("shown as %+v", s)
		}
		for _, id := range all[:7] {
			if task := b.accept(request(id)); task.Cluster != "us" { // its host and namespace are free for it, and for others
				t.Errorf("store %s is made on %s", id, task.Cluster)
			}
		}
	})
}

// TestNoCallbackWaitsForTheWorkersOfALostCluster: what was not delivered while the cluster had workers must not hold up what its
// end tells, and the first pending callback is the one whose queue the store's delivery waits in.
func TestNoCallbackWaitsForTheWorkersOfALostCluster(t *testing.T) {
	for _, cluster := range []string{"eu", provision.DefaultCluster} { // the default cluster's queue has no suffix, and only its workers
		each(t, func(b *bench) {
			b.setClusters(cluster + ",us")
			here := func(id string) provision.Request { return onCluster(cluster, request(id)) }
			for _, id := range []string{"ready", "deleted", "again", "claimed"} {
				b.endOn(b.accept(here(id)), cluster, OutcomeRecorded)
			}
			b.endOn(b.accept(deletion("deleted")), cluster, OutcomeRecorded)
			b.endOn(b.accept(deletion("again")), cluster, OutcomeRecorded)
			b.endOn(b.accept(onCluster("us", request("again"))), "us", OutcomeRecorded)
			if claim, c := b.claim("claimed", "of a worker that dies"); claim != Claimed || c.Status != provision.StatusReady {
				t.Fatal(claim, c)
			}
			b.lose(cluster)
			b.endLost()

			first := map[string]string{}
			for _, id := range []string{"ready", "deleted", "again", "claimed"} {
				task := b.inspect(id).Callbacks[0]
				first[id] = task.Cluster
				if id == "claimed" {
					continue
				}
				if _, c := b.claim(id, "any"); c.Task() != task {
					t.Errorf("store %s: %+v is claimed by the task %+v", id, c, task)
				}
			}
			want := map[string]string{"ready": provision.AnyCluster, "deleted": provision.AnyCluster, "again": provision.AnyCluster, "claimed": provision.AnyCluster}
			if diff := cmp.Diff(want, first); diff != "" {
				t.Error(diff)
			}
			if n := b.redis.HLen(b.ctx, keyCallbacks("claimed")).Val(); n != 2 {
				t.Errorf("%d callbacks are kept while one is claimed, want 2", n)
			}
		})
	}
}

func TestALostStoreFreesWhatItOwned(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		b.endOn(b.accept(onCluster("eu", onHost(request("a"), "one.example.com"))), "eu", OutcomeRecorded)
		b.lose("eu")
		b.endLost()
		other := onHost(request("b"), "one.example.com")
		other.Namespace = request("a").Namespace
		if got := b.accept(other).Cluster; got != "us" {
			t.Errorf("made on %s", got)
		}
		if code, text := b.code(onHost(request("a"), "one.example.com")); code != provision.CodeConflict || !strings.HasPrefix(text, "host ") {
			t.Errorf("%s %s", code, text)
		}
	})
}

// TestARequestDoesNotWaitForThePass: the store is ended as its next request is accepted.
func TestARequestDoesNotWaitForThePass(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		b.endOn(b.accept(onCluster("eu", request("a"))), "eu", OutcomeRecorded)
		b.endOn(b.accept(onCluster("eu", request("b"))), "eu", OutcomeRecorded)
		b.lose("eu")
		if got := b.accept(titled(request("a"), "again")).Cluster; got != "us" {
			t.Errorf("made on %s", got)
		}
		if got := b.accept(deletion("b")).Cluster; got != "us" {
			t.Errorf("what may be left of it is searched on %s", got)
		}
		if n := b.endLost(); n != 0 {
			t.Errorf("%d stores were ended, that live elsewhere", n)
		}
	})
}

// TestARunOnALostClusterIsSuperseded: the API server may answer the worker that holds the lease all the same.
func TestARunOnALostClusterIsSuperseded(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		provisioning := b.acquire(b.accept(onCluster("eu", request("a"))), "run")
		b.endOn(b.accept(onCluster("eu", request("b"))), "eu", OutcomeRecorded)
		deleting := b.acquire(b.accept(deletion("b")), "run")
		b.lose("eu")
		b.endLost()
		b.wantOutcome(provisioning, provision.StatusReady, OutcomeSuperseded, 0)
		b.wantOutcome(deleting, provision.StatusDeleted, OutcomeUnchanged, 0)
	})
}

func TestAFoundClusterGetsNewStores(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		b.lose("eu")
		b.endLost()
		for i := range 2 {
			if got := b.accept(request(fmt.Sprint("s", i))).Cluster; got != "us" {
				t.Errorf("placed on %s", got)
			}
		}
		if code, _ := b.code(onCluster("eu", request("named"))); code != provision.CodeInvalid {
			t.Errorf("a lost cluster by name: %s", code)
		}
		if states, err := b.records.Requests.Clusters(b.ctx); err != nil || !states[0].Lost || states[0].Ending || states[1].Lost || states[1].Stores != 2 {
			t.Errorf("clusters %+v, %v", states, err)
		}
		for range 2 {
			if err := b.records.Requests.FindCluster(b.ctx, "eu"); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.accept(request("s2")).Cluster; got != "eu" {
			t.Errorf("placed on %s", got)
		}
	})
}

// TestAReturnedClusterRestoresNothing: what comes back is not put on record again, found or not.
func TestAReturnedClusterRestoresNothing(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		task := b.accept(onCluster("eu", request("a")))
		b.endOn(task, "eu", OutcomeRecorded)
		b.lose("eu")
		b.restore(savedState(queue.Task{Op: provision.OpProvision, StoreID: "unknown", Generation: 100, Cluster: "eu"}, provision.StatusReady, true), RestoreLost)
		b.endLost()
		if err := b.records.Requests.FindCluster(b.ctx, "eu"); err != nil {
			t.Fatal(err)
		}
		b.restore(savedState(task, provision.StatusReady, true), RestoreKnown)
	})
}

func TestRecordsDoNotWaitForALostCluster(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		b.loseData()
		b.markClustersComplete("us")
		if code, text := b.code(request("new")); code != provision.CodeUnavailable || !strings.Contains(text, "cluster eu") {
			t.Fatalf("%s %s", code, text)
		}
		b.lose("eu")
		if got := b.accept(request("new")).Cluster; got != "us" {
			t.Errorf("made on %s", got)
		}
	})
}

func TestOnlyAKnownClusterOfSeveralIsGivenUp(t *testing.T) {
	each(t, func(b *bench) {
		for clusters, names := range map[string][]string{"": {"default", "eu"}, "eu,us": {"default", "asia", ""}} {
			b.setClusters(clusters)
			for _, name := range names {
				for _, change := range []error{b.records.Requests.LoseCluster(b.ctx, name), b.records.Requests.FindCluster(b.ctx, name)} {
					if provision.CodeOf(change) != provision.CodeInvalid {
						t.Errorf("%q of %q: %v", name, clusters, change)
					}
				}
			}
		}
		b.setClusters("")
		states, err := b.records.Requests.Clusters(b.ctx)
		if names := slices.Collect(func(yield func(string) bool) {
			for _, s := range states {
				yield(s.Name)
			}
		}); err != nil || !slices.Equal(names, []string{provision.DefaultCluster}) {
			t.Errorf("clusters %v, %v", names, err)
		}
	})
}

func TestTheDefaultClusterCanBeLost(t *testing.T) {
	each(t, func(b *bench) {
		first := b.accept(request("old")) // before the installation named its clusters
		b.end(first, provision.StatusReady)
		b.deliver("old")
		b.setClusters("default,us")
		if states, err := b.records.Requests.Clusters(b.ctx); err != nil || states[0].Stores != 1 {
			t.Errorf("clusters %+v, %v", states, err)
		}
		b.lose("default")
		if n := b.endLost(); n != 1 {
			t.Errorf("%d stores were ended", n)
		}
		if told := b.told("old"); !slices.Equal(told, []string{"FAILED lost"}) {
			t.Errorf("told %v", told)
		}
		if got := b.accept(request("old")).Cluster; got != "us" {
			t.Errorf("made on %s", got)
		}
	})
}

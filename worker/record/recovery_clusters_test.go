package record

import (
	"strings"
	"testing"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func (b *bench) markClustersComplete(clusters ...string) {
	b.Helper()
	for _, cluster := range clusters {
		if err := b.records.Recovery.MarkClusterComplete(b.ctx, cluster); err != nil {
			b.Fatal(err)
		}
	}
}

func TestMarkClusterCompleteOfEveryClusterCompletesTheRecords(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("default,eu,us")
		b.loseData()
		b.markClustersComplete("default", "us")
		if err := b.records.Requests.Ready(b.ctx); !Incomplete(err) || !strings.Contains(err.Error(), "cluster eu") {
			b.Errorf("before the last cluster is complete, Ready returns %v", err)
		}
		if code, text := b.code(request("new")); code != provision.CodeUnavailable || !strings.Contains(text, "cluster eu") {
			b.Errorf("%s %s", code, text)
		}
		// A worker knows some of the clusters, and what it accepts must not declare anything.
		worker := New(b.redis, Options{})
		if _, err := worker.Requests.Accept(b.ctx, onCluster("us", request("new")), generationTimeout); provision.CodeOf(err) != provision.CodeUnavailable {
			b.Errorf("a worker was answered %v", err)
		}
		for cluster, want := range map[string]bool{"default": true, "eu": false, "us": true} {
			if complete, err := b.records.Recovery.ClusterComplete(b.ctx, cluster); err != nil || complete != want {
				b.Errorf("cluster %q is complete: %t, %v", cluster, complete, err)
			}
		}
		b.markClustersComplete("eu")
		if err := b.records.Requests.Ready(b.ctx); err != nil {
			b.Errorf("Ready returns %v although a request is accepted", err)
		}
		b.accept(request("new"))
		if complete, err := b.records.Recovery.Complete(b.ctx); err != nil || !complete || b.redis.Exists(b.ctx, keyRecoveredClusters).Val() != 0 {
			b.Errorf("complete: %t, %v", complete, err)
		}
		b.setClusters("default,eu,us,asia") // which holds nothing yet
		b.accept(request("newer"))
	})
}

func TestAcceptTakesARestoredStoreBeforeItsClusterIsComplete(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		b.loseData()
		b.restore(savedState(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 100, Cluster: "us"}, provision.StatusReady, true), Restored)
		if code, _ := b.code(titled(request("a"), "new")); code != provision.CodeUnavailable {
			b.Errorf("%s, before us was complete", code)
		}
		b.markClustersComplete("us")
		if got := b.accept(titled(request("a"), "new")).Cluster; got != "us" {
			b.Errorf("a change went to %s", got)
		}
		for _, req := range []provision.Request{request("b"), deletion("b"), onHost(request("a"), "other.example.com")} {
			if code, _ := b.code(req); code != provision.CodeUnavailable {
				b.Errorf("%+v: %s", req, code)
			}
		}
		if got := b.accept(deletion("a")).Cluster; got != "us" {
			b.Errorf("its delete went to %s", got)
		}
	})
}

func TestRestoreOnTwoClustersKeepsTheNewer(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		older, newer := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 100, Cluster: "eu"}, queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 200, Cluster: "us"}
		b.restore(savedState(older, provision.StatusReady, true), Restored)
		b.restore(savedState(newer, provision.StatusReady, true), Restored)
		b.restore(savedState(older, provision.StatusReady, true), RestoreOtherCluster)
		b.restore(savedState(newer, provision.StatusReady, true), RestoreKnown)
		if eu, us := b.redis.SCard(b.ctx, prefix+"cluster-stores:"+"eu").Val(), b.redis.SCard(b.ctx, prefix+"cluster-stores:"+"us").Val(); eu != 0 || us != 1 {
			b.Errorf("counted on eu %d times, on us %d times", eu, us)
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.restore(savedState(older, provision.StatusReady, true), RestoreLeftover)
		if del := b.accept(onCluster("eu", deletion("a"))); del.Cluster != "eu" { // as the worker that has found it asks
			b.Errorf("what is left is deleted on %q", del.Cluster)
		}
	})
}

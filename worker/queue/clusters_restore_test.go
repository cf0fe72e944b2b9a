package queue

import (
	"strings"
	"testing"

	"orchestrator/provision"
)

func (b *bench) surveyed(clusters ...string) {
	b.Helper()
	for _, cluster := range clusters {
		if err := b.records.Surveyed(b.ctx, cluster); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRecordsAreWholeWhenEveryClusterWasSurveyed(t *testing.T) {
	each(t, func(b *bench) {
		b.placing("default,eu,us")
		b.lose()
		b.surveyed("", "us")
		if code, text := b.code(request("new")); code != provision.CodeUnavailable || !strings.Contains(text, "cluster eu") {
			b.Errorf("%s %s", code, text)
		}
		// A worker knows some of the clusters, and what it accepts must not declare anything.
		worker := b.records.Placing(provision.Placement{})
		if _, err := worker.Accept(b.ctx, on("us", request("new")), patience); provision.CodeOf(err) != provision.CodeUnavailable {
			b.Errorf("a worker was answered %v", err)
		}
		for cluster, want := range map[string]bool{"": true, "eu": false, "us": true} {
			if whole, err := b.records.WholeOf(b.ctx, cluster); err != nil || whole != want {
				b.Errorf("cluster %q is whole: %t, %v", cluster, whole, err)
			}
		}
		b.surveyed("eu")
		b.accept(request("new"))
		if whole, err := b.records.Whole(b.ctx); err != nil || !whole || b.redis.Exists(b.ctx, keySurveyed).Val() != 0 {
			b.Errorf("whole: %t, %v", whole, err)
		}
		b.placing("default,eu,us,asia") // which holds nothing yet
		b.accept(request("newer"))
	})
}

func TestAStoreThatItsClusterHasBroughtBackGoesOn(t *testing.T) {
	each(t, func(b *bench) {
		b.placing("eu,us")
		b.lose()
		b.restore(remembered(Task{provision.OpProvision, "a", 100, "us"}, provision.StatusReady, true), Restored)
		if code, _ := b.code(titled(request("a"), "new")); code != provision.CodeUnavailable {
			b.Errorf("%s, before us was surveyed to its end", code)
		}
		b.surveyed("us")
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

func TestAStoreOnTwoClustersIsTheNewersOne(t *testing.T) {
	each(t, func(b *bench) {
		b.placing("eu,us")
		older, newer := Task{provision.OpProvision, "a", 100, "eu"}, Task{provision.OpProvision, "a", 200, "us"}
		b.restore(remembered(older, provision.StatusReady, true), Restored)
		b.restore(remembered(newer, provision.StatusReady, true), Restored)
		b.restore(remembered(older, provision.StatusReady, true), Elsewhere)
		b.restore(remembered(newer, provision.StatusReady, true), Known)
		if eu, us := b.redis.SCard(b.ctx, keyClusters+"eu").Val(), b.redis.SCard(b.ctx, keyClusters+"us").Val(); eu != 0 || us != 1 {
			b.Errorf("counted on eu %d times, on us %d times", eu, us)
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.restore(remembered(older, provision.StatusReady, true), Leftover)
		if del := b.accept(on("eu", deletion("a"))); del.Cluster != "eu" { // as the worker that has found it asks
			b.Errorf("what is left is deleted on %q", del.Cluster)
		}
	})
}

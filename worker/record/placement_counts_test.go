package record

import (
	"testing"

	"pgregory.net/rapid"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
)

// checkCounts compares the sets of the stores of each cluster with the records.
func (b *bench) checkCounts(t interface{ Fatalf(string, ...any) }) {
	counted := map[string]string{}
	for _, name := range []string{"eu", "us"} {
		for _, id := range b.redis.SMembers(b.ctx, prefix+"cluster-stores:"+name).Val() {
			counted[id] = name
		}
	}
	for _, id := range propertyStores {
		record := b.redis.HGetAll(b.ctx, keyStore(id)).Val()
		lives := b.owner(keyNamespaces, "store-"+id) == id
		want := ""
		if lives && record["cluster"] != "default" {
			want = record["cluster"]
		}
		if counted[id] != want {
			t.Fatalf("store %s is counted on %q, and its record is %v", id, counted[id], record)
		}
	}
}

// TestPlacementCountsStoresWhereTheyAre accepts, ends and deletes at random and counts again.
func TestPlacementCountsStoresWhereTheyAre(t *testing.T) {
	b := newBench(t, redistest.Mini(t))
	b.setClusters("default,eu;weight=2,us")
	rapid.Check(t, func(rt *rapid.T) {
		b.redis.FlushAll(b.ctx)
		b.markComplete()
		rt.Repeat(map[string]func(*rapid.T){
			"accept": func(rt *rapid.T) {
				req := request(pick(rt, "store", propertyStores))
				if rapid.Bool().Draw(rt, "delete") {
					req = pick(rt, "deletion", []provision.Request{deletion(req.StoreID), retaining(req.StoreID)})
				}
				if _, err := b.records.Requests.Accept(b.ctx, req, generationTimeout); provision.CodeOf(err) != provision.CodeConflict {
					ok(rt, err) // a retain_data may come too late
				}
			},
			"end": func(rt *rapid.T) {
				for _, task := range b.inspect(pick(rt, "store", propertyStores)).Runs {
					result, run, err := b.records.Runs.Acquire(b.ctx, task, "run", leaseTTL, false)
					if err != nil || result == AcquireOtherCluster {
						rt.Fatal(result, err)
					}
					if result == Acquired {
						b.recordOutcome(run, pick(rt, "status", []provision.Status{task.Op.Success(), task.Op.Failure()}))
						b.release(run, RunEnd{Ended: true})
					}
				}
			},
			"": func(rt *rapid.T) {
				b.checkCounts(rt)
			},
		})
	})
}

// A delete that failed was once followed by one that succeeded, and the store went on being counted on its cluster.
func TestPlacementDoesNotCountStoresDeletedAfterAFailedDelete(t *testing.T) {
	b := newBench(t, redistest.Mini(t))
	b.setClusters("default,eu;weight=2,us")
	for _, status := range []provision.Status{provision.StatusFailed, provision.StatusFailed} {
		b.end(b.accept(onCluster("eu", request("c"))), status)
		b.checkCounts(t)
	}
	for _, status := range []provision.Status{provision.StatusDeleteFailed, provision.StatusDeleted} {
		b.end(b.accept(deletion("c")), status)
		b.checkCounts(t)
	}
	if n := b.redis.SCard(b.ctx, prefix+"cluster-stores:eu").Val(); n != 0 {
		t.Errorf("%d stores are counted on eu", n)
	}
}

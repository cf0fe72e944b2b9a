package record

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/queue"
)

var twoClusters = provision.Placement{Clusters: provision.Clusters{{Name: "eu", Weight: 1}, {Name: "us", Weight: 1}}}

// setClusters makes the bench accept for these clusters.
func (b *bench) setClusters(clusters string, rules ...string) {
	b.Helper()
	var p provision.Placement
	if err := p.Clusters.UnmarshalText([]byte(clusters)); err != nil {
		b.Fatal(err)
	}
	if err := p.Rules.UnmarshalText([]byte(strings.Join(rules, ","))); err != nil {
		b.Fatal(err)
	}
	b.set(Options{CreatorLimit: b.options.CreatorLimit, Placement: p})
}

func onCluster(cluster string, req provision.Request) provision.Request {
	req.Cluster = cluster
	return req
}

// endOn ends a run of the task on a cluster.
func (b *bench) endOn(t queue.Task, cluster string, want OutcomeResult) []queue.Task {
	b.Helper()
	t.Cluster = cluster
	run := b.acquire(t, "run-"+cluster)
	result, next, err := b.records.Runs.RecordOutcome(b.ctx, run, t.Op.Success(), "", "")
	if must(b, result, err) != want {
		b.Fatalf("%s on %s: %s, want %s", t.Op, cluster, result, want)
	}
	b.release(run, RunEnd{Ended: true})
	return next
}

func (b *bench) code(req provision.Request) (provision.Code, string) {
	b.Helper()
	_, err := b.records.Requests.Accept(b.ctx, req, generationTimeout)
	if err == nil {
		b.Fatalf("%+v was accepted", req)
	}
	return provision.CodeOf(err), provision.Public(err)
}

func TestPlacement(t *testing.T) {
	in := func(country string) func(provision.Request) provision.Request {
		return func(r provision.Request) provision.Request { r.Settings.Country = country; return r }
	}
	same := func(r provision.Request) provision.Request { return r }
	for name, test := range map[string]struct {
		clusters string
		rule     string
		change   func(provision.Request) provision.Request
		want     string // of six stores, or why the seventh is refused
	}{
		"by load":           {"eu,us", "", same, "eu us eu us eu us"},
		"by weight":         {"eu,us;weight=2", "", same, "us eu us us eu us"},
		"default too":       {"default,us", "", same, "default us default us default us"},
		"closed":            {"eu;closed,us", "", same, "us us us us us us"},
		"full":              {"eu;max=1,us", "", same, "eu us us us us us"},
		"by rule":           {"eu,us", "country=US:us", in("US"), "us us us us us us"},
		"no rule fits":      {"eu,us", "country=US:us", in("DE"), "eu us eu us eu us"},
		"a rule for two":    {"eu,us,asia", "country=US:us|asia", in("US"), "us asia us asia us asia"},
		"by name":           {"eu,us", "country=US:us", func(r provision.Request) provision.Request { return onCluster("eu", in("US")(r)) }, "eu eu eu eu eu eu"},
		"one cluster":       {"", "", same, "default default default default default default"},
		"the only, by name": {"", "", func(r provision.Request) provision.Request { return onCluster("default", r) }, "default default default default default default"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				b.setClusters(test.clusters, test.rule)
				var got []string
				for i := range 6 {
					task := b.accept(test.change(request(fmt.Sprint("s", i))))
					got = append(got, task.Cluster)
					if s := b.state(task.StoreID); test.clusters != "" && (s.Cluster) != task.Cluster {
						t.Errorf("shown on %q", s.Cluster)
					}
				}
				if got := strings.Join(got, " "); got != test.want {
					t.Errorf("placed on %q, want %q", got, test.want)
				}
			})
		})
	}
}

func TestPlacementWithoutAnOpenCluster(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu;closed,us;max=1", "country=DE:eu")
		here := request("a")
		here.Settings.Country = "DE"
		if code, _ := b.code(here); code != provision.CodeUnavailable { // a rule binds
			b.Errorf("a rule for a closed cluster: %s", code)
		}
		if code, text := b.code(onCluster("eu", request("a"))); code != provision.CodeInvalid || !strings.Contains(text, "eu") {
			b.Errorf("a closed cluster by name: %s %s", code, text)
		}
		lives := b.accept(request("b"))
		if code, _ := b.code(request("c")); code != provision.CodeUnavailable {
			b.Errorf("every cluster is closed or full: %s", code)
		}
		b.accept(titled(request("b"), "lives there already"))
		if n := b.redis.SCard(b.ctx, prefix+"cluster-stores:"+"us").Val(); n != 1 {
			b.Errorf("one store is counted as %d", n)
		}
		b.end(queue.Task{Op: provision.OpDelete, StoreID: "b", Generation: b.accept(deletion("b")).Generation, Cluster: "us"}, provision.StatusDeleted)
		if lives.Cluster != "us" || b.accept(request("c")).Cluster != "us" {
			b.Error("the slot of a deleted store was not freed")
		}
	})
}

func TestPlacementPrefersAHealthyCluster(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		if err := b.records.Recovery.MarkHealthy(b.ctx, "us"); err != nil {
			b.Fatal(err)
		}
		if first, second := b.accept(request("a")), b.accept(request("b")); first.Cluster != "us" || second.Cluster != "us" {
			b.Errorf("placed on %s and %s", first.Cluster, second.Cluster)
		}
	})
}

func TestPlacementKeepsAStoreOnItsCluster(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		b.end(b.accept(onCluster("us", request("a"))), provision.StatusReady)
		b.accept(onCluster("eu", request("b")))
		b.accept(onCluster("eu", request("c")))
		if got := b.accept(titled(request("a"), "new")).Cluster; got != "us" {
			b.Errorf("a change went to %s", got)
		}
		if text := b.refused(onCluster("eu", request("a"))); !strings.HasPrefix(text, "cluster ") {
			b.Error(text)
		}
		if text := b.refused(onCluster("eu", titled(request("a"), "new"))); !strings.HasPrefix(text, "cluster ") { // an equal one must not join
			b.Error(text)
		}
		b.setClusters("eu") // us is no longer configured where requests are accepted
		del := b.accept(deletion("a"))
		if del.Cluster != "us" {
			b.Errorf("its delete went to %s", del.Cluster)
		}
		behind := b.accept(request("a"))
		if next := b.endOn(del, "us", OutcomeRecorded); len(next) != 1 || next[0] != behind || behind.Cluster != "us" {
			b.Errorf("behind the delete begins %+v, accepted was %+v", next, behind)
		}
		b.setClusters("eu,us")
		del = b.accept(deletion("a"))
		b.endOn(del, "us", OutcomeRecorded)
		if got := b.accept(onCluster("eu", request("a"))).Cluster; got != "eu" {
			b.Errorf("a new life began on %s", got)
		}
	})
}

func TestPlacementKeepsRetainedDataOnItsCluster(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		b.end(b.accept(onCluster("us", request("a"))), provision.StatusReady)
		b.end(b.accept(retaining("a")), provision.StatusDeleted)
		if n := b.redis.SCard(b.ctx, prefix+"cluster-stores:"+"us").Val(); n != 1 {
			b.Errorf("it is counted %d times", n)
		}
		if text := b.refused(onCluster("eu", request("a"))); !strings.HasPrefix(text, "cluster ") {
			b.Error(text)
		}
		if got := b.accept(request("a")).Cluster; got != "us" {
			b.Errorf("a new life began on %s, without the data", got)
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		if got := b.accept(onCluster("eu", request("a"))).Cluster; got != "eu" {
			b.Errorf("a new life began on %s", got)
		}
	})
}

func TestAcquireRefusesTheWrongCluster(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		task := b.accept(onCluster("us", request("a")))
		wrong := task
		wrong.Cluster = "eu"
		b.wantAcquire(wrong, AcquireOtherCluster)
		if run := b.acquire(task, "run"); run.Store.Cluster != "us" {
			b.Errorf("the run is of %+v", run.Store)
		}
	})
}

func TestRecordOutcomeSendsADeleteWithoutRecordToEveryCluster(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us,default")
		del := b.accept(deletion("a"))
		if del.Cluster != "eu" {
			b.Errorf("it begins on %s", del.Cluster)
		}
		run := b.acquire(del, "run")
		for range 2 { // an answer is lost, and the outcome recorded again
			result, next, err := b.records.Runs.RecordOutcome(b.ctx, run, provision.StatusDeleted, "", "")
			if err != nil || result != OutcomeNextCluster || len(next) != 1 || next[0].Cluster != "us" || next[0].Op != provision.OpDelete {
				b.Fatalf("%s, %+v, %v", result, next, err)
			}
		}
		b.release(run, RunEnd{Ended: true})
		b.wantAcquire(del, AcquireOtherCluster)
		if again := b.accept(deletion("a")); again.Cluster != "us" || again.Generation != del.Generation {
			b.Errorf("the delete repeated is %+v", again)
		}
		behind := b.accept(onCluster("us", request("a")))
		newer := b.accept(deletion("a")) // goes on where the older one is
		if runs := b.inspect("a").Runs; len(runs) != 1 || runs[0] != newer || newer.Cluster != "us" {
			b.Errorf("outstanding runs: %+v", runs)
		}
		b.endOn(newer, "us", OutcomeNextCluster)
		b.endOn(newer, "default", OutcomeRecorded)
		if calls := b.deliver("a"); len(calls) != 1 || calls[0].Status != provision.StatusDeleted || calls[0].Generation != newer.Generation {
			b.Errorf("delivered %+v", calls)
		}
		b.wantAcquire(behind, AcquireSuperseded)
		if n := b.redis.Exists(b.ctx, prefix+"cluster-stores:"+"us").Val(); n != 0 {
			b.Error("a store that never was is counted")
		}
	})
}

func TestPlacementKeepsAFailedDeleteOnItsCluster(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		del := b.accept(deletion("a"))
		b.endOn(del, "eu", OutcomeNextCluster)
		del.Cluster = "us"
		b.end(del, provision.StatusDeleteFailed)
		b.accept(onCluster("us", request("x"))) // eu has fewer stores
		if got := b.accept(request("a")).Cluster; got != "us" {
			b.Errorf("the provision that has to finish it is on %s", got)
		}
		if text := b.refused(onCluster("eu", request("a"))); !strings.HasPrefix(text, "cluster ") {
			b.Error(text)
		}
	})
}

func TestPlacementNamesTheQueuesOfTasksAndCallbacks(t *testing.T) {
	each(t, func(b *bench) {
		b.setClusters("eu,us")
		task := b.accept(onCluster("us", request("a")))
		if err := b.tasks.Enqueue(b.ctx, task); err != nil {
			b.Fatal(err)
		}
		if msg := b.redis.HGet(b.ctx, "asynq:{provision.us}:t:"+task.ID(), "msg").Val(); !strings.Contains(msg, "store:provision") {
			b.Errorf("its task is %q, want type store:provision", msg)
		}
		b.end(b.accept(onCluster("us", request("b"))), provision.StatusFailed)
		failed, err := b.records.Callbacks.Pending(b.ctx, "b")
		if must(b, failed, err); len(failed) != 1 || failed[0].Queue() != "callback.any" {
			b.Errorf("a callback without a password: %+v", failed)
		}
		b.end(task, provision.StatusReady)
		calls, err := b.records.Callbacks.Pending(b.ctx, "a")
		if must(b, calls, err); len(calls) != 1 || calls[0].Queue() != "callback.us" {
			b.Errorf("to be delivered: %+v", calls)
		}
		claim, call, err := b.records.Callbacks.Claim(b.ctx, "a", "delivery", leaseTTL)
		if err != nil || claim != Claimed || call.Store.Cluster != "us" {
			b.Errorf("%s %+v %v", claim, call, err)
		}
		b.keepDeadLetter("a", "400")
		outcome, replayed, err := b.records.Callbacks.Replay(b.ctx, call.ID())
		if err != nil || outcome != provision.ReplayQueued || replayed.Queue() != "callback.us" {
			b.Errorf("replayed: %s %+v %v", outcome, replayed, err)
		}
		queues, err := b.tasks.Queues(b.ctx)
		if diff := cmp.Diff([]string{"provision", "delete", "callback", "maintenance", "provision.us"}, must(b, queues, err)); diff != "" {
			b.Error(diff)
		}
	})
}

// TestPlacementIsAtomic has many accept at once, on a real Redis: no two may take a load for theirs.
func TestPlacementIsAtomic(t *testing.T) {
	b := newBench(t, redistest.Real(t))
	b.setClusters("eu;weight=3,us;max=10,asia")
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			if _, err := b.records.Requests.Accept(b.ctx, request(fmt.Sprint("s", i)), generationTimeout); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := map[string]int64{}
	for _, name := range []string{"eu", "us", "asia"} {
		got[name] = b.redis.SCard(b.ctx, prefix+"cluster-stores:"+name).Val()
	}
	if got["us"] != 10 || got["eu"]+got["asia"] != 90 || got["eu"] < 3*got["asia"]-3 || got["eu"] > 3*got["asia"]+3 {
		t.Errorf("placed %v", got)
	}
}

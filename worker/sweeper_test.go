package worker

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// sweepStore is what is outstanding of several stores, and the lease of the sweeper.
type sweepStore struct {
	*records
	leader      string
	due         []string
	outstanding map[string]record.Outstanding
	fail        map[string]error // by store, queue, or "lead", "due"
	passes      int              // until the stores of a lost cluster are ended

	leases []time.Duration
}

func (l *sweepStore) LeadSweep(_ context.Context, token string, lease time.Duration) (bool, error) {
	l.leases = append(l.leases, lease)
	if l.leader == "" {
		l.leader = token
	}
	return l.leader == token, l.fail["lead"]
}

func (l *sweepStore) ResignSweep(ctx context.Context, token string) error {
	if l.leader == token && ctx.Err() == nil {
		l.leader = ""
	}
	return l.fail["resign"]
}

func (l *sweepStore) Due(context.Context, int, time.Duration) ([]string, error) {
	l.note("due")
	return l.due, l.fail["due"]
}

func (l *sweepStore) Inspect(_ context.Context, id string) (record.Outstanding, error) {
	l.note("inspect " + id)
	return l.outstanding[id], l.fail[id]
}

func (l *sweepStore) EndLostStores(context.Context, int) (int, bool, error) {
	l.passes--
	return 1, l.passes > 0, l.fail["end lost stores"]
}

func (l *sweepStore) Queues(context.Context) ([]string, error) {
	return []string{queue.QueueProvision, queue.QueueDelete, queue.QueueCallback}, nil
}

func (l *sweepStore) RequeueOrphans(_ context.Context, q string) ([]string, error) {
	l.note("requeue orphans " + q)
	return nil, l.fail[q]
}

func newSweep(l *sweepStore) *sweeper {
	s := newSweeper(l, l, l, l, newMetrics(prometheus.NewRegistry()), quiet())
	s.atOnce = 1 // the fake keeps the order of the calls
	return s
}

func twoRuns(id string) record.Outstanding {
	return record.Outstanding{Runs: []queue.Task{{Op: provision.OpDelete, StoreID: id, Generation: 1}, {Op: provision.OpProvision, StoreID: id, Generation: 2}}}
}

var requeues = []string{"requeue orphans provision", "requeue orphans delete", "requeue orphans callback", "due"}

func TestSweeperEnqueuesWhatIsOutstanding(t *testing.T) {
	l := &sweepStore{records: newRecords(), due: []string{"a", "b", "c"}, outstanding: map[string]record.Outstanding{
		"a": twoRuns("a"),
		"b": {Callbacks: []queue.CallbackTask{{StoreID: "b", Sequence: 1}, {StoreID: "b", Sequence: 2}}},
	}}
	if err := newSweep(l).sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One delivery task delivers all callbacks of a store.
	want := append(requeues[:4:4], "inspect a", "revive 1.a", "revive 2.a", "inspect b", "revive callback", "inspect c")
	if diff := cmp.Diff(want, l.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSweeperTriesAStoreWithASlotAtOnce(t *testing.T) {
	l := &sweepStore{records: newRecords(), due: []string{"a"}, outstanding: map[string]record.Outstanding{"a": {Runs: twoRuns("a").Runs[1:], TryNow: true}}}
	if err := newSweep(l).sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(requeues[:4:4], "inspect a", "revive soon 2.a"), l.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSweeperGoesOnAfterAStoreThatFails(t *testing.T) {
	l := &sweepStore{records: newRecords(), due: []string{"a", "b"}, outstanding: map[string]record.Outstanding{"a": twoRuns("a"), "b": twoRuns("b")},
		fail: map[string]error{"a": errors.New("a does not parse"), queue.QueueDelete: errors.New("no requeueing")}}
	err := newSweep(l).sweep(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a does not parse") || !strings.Contains(err.Error(), "no requeueing") {
		t.Errorf("reported: %v", err)
	}
	want := append(requeues[:4:4], "inspect a", "inspect b", "revive 1.b", "revive 2.b")
	if diff := cmp.Diff(want, l.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSweeperGoesOnAfterATaskThatCannotBeRevived(t *testing.T) {
	l := &sweepStore{records: newRecords(), due: []string{"a", "b"}, outstanding: map[string]record.Outstanding{"a": twoRuns("a"), "b": twoRuns("b")}}
	l.enqueueErr = errors.New("the queue is away")
	if err := newSweep(l).sweep(t.Context()); !errors.Is(err, l.enqueueErr) {
		t.Errorf("reported: %v", err)
	}
	if l.count("revive 1.a") != 1 || l.count("revive 2.a") != 1 || l.count("revive 2.b") != 1 {
		t.Errorf("events %v", l.events)
	}
}

func TestSweeperOnlyOneLeads(t *testing.T) {
	l := &sweepStore{records: newRecords()}
	a, b := newSweep(l), newSweep(l)
	for range 3 {
		for _, s := range []*sweeper{a, b} {
			if err := s.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if l.count("due") != 3 || a.token == b.token {
		t.Errorf("%d sweeps of 3 were done", l.count("due"))
	}
	a.resign(t.Context())
	if err := b.sweep(t.Context()); err != nil || l.count("due") != 4 {
		t.Errorf("after the leader left: %v, %d sweeps", err, l.count("due"))
	}
}

func TestSweeperDoesNothingWithoutTheLease(t *testing.T) {
	l := &sweepStore{records: newRecords(), fail: map[string]error{"lead": errAway}}
	if err := newSweep(l).sweep(t.Context()); err != errAway || len(l.events) != 0 {
		t.Errorf("%v after %v", err, l.events)
	}
}

func TestSweeperRunsUntilTheWorkerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &sweepStore{records: newRecords(), fail: map[string]error{"due": errAway}} // a failure does not end it
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { newSweep(l).run(ctx); close(ended) }()
		time.Sleep(3*sweepEvery + sweepEvery/2)
		if n := l.count("due"); n != 4 {
			t.Errorf("%d sweeps in %s", n, 3*sweepEvery+sweepEvery/2)
		}
		stop()
		<-ended
		if l.leader != "" {
			t.Error("the lease was not given back")
		}
	})
}

// A sweep that takes long ends before its lease does.
func TestSweeperEndsWithItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slow{sweepStore: &sweepStore{records: newRecords(), due: []string{"a"}}}
		s := newSweep(l.sweepStore)
		s.store = l
		start := time.Now()
		if err := s.sweep(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > sweepLease || l.leases[0] != sweepLease {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

type slow struct{ *sweepStore }

func (s *slow) Inspect(ctx context.Context, _ string) (record.Outstanding, error) {
	<-ctx.Done()
	return record.Outstanding{}, ctx.Err()
}

// crowd is a store of many stores that are due, each of which takes time to inspect.
type crowd struct {
	sweepStore
	left      atomic.Int64
	inspected atomic.Int64
	broken    error // of every inspection
}

func (c *crowd) Due(_ context.Context, n int, _ time.Duration) ([]string, error) {
	return make([]string, min(int64(n), max(0, c.left.Add(int64(-n))+int64(n)))), nil
}

func (c *crowd) Inspect(context.Context, string) (record.Outstanding, error) {
	time.Sleep(80 * time.Millisecond) // four round trips of 20 ms
	c.inspected.Add(1)
	return record.Outstanding{}, c.broken
}

func TestSweeperInspectsEverythingThatIsDueInOneRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{sweepStore: sweepStore{records: newRecords()}}
		c.left.Store(5_000)
		start := time.Now()
		if err := newSweeper(c, c, c, c, newMetrics(prometheus.NewRegistry()), quiet()).sweep(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); c.inspected.Load() != 5_000 || took > 30*time.Second {
			t.Errorf("%d stores were inspected in %s", c.inspected.Load(), took)
		}
	})
}

func TestSweeperGoesOnAfterABatchWithStoresThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{sweepStore: sweepStore{records: newRecords()}, broken: errors.New("does not parse")}
		c.left.Store(2*sweepBatch + 1)
		err := newSweeper(c, c, c, c, newMetrics(prometheus.NewRegistry()), quiet()).sweep(t.Context())
		if !errors.Is(err, c.broken) || c.inspected.Load() != 2*sweepBatch+1 {
			t.Errorf("%d stores were inspected, %v", c.inspected.Load(), err)
		}
	})
}

func TestSweeperEndsWhatIsPastItsDeadlineAndHasNoRun(t *testing.T) {
	task := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 2, Cluster: "gone"}
	next := queue.Task{Op: provision.OpProvision, StoreID: "b", Generation: 3, Cluster: "eu"}
	for name, c := range map[string]struct {
		result   record.AcquireResult
		timeLeft time.Duration
		outcome  record.OutcomeResult
		ended    bool
	}{
		"past its deadline":               {record.Acquired, -time.Hour, record.OutcomeRecorded, true},
		"not by the clock of Redis":       {record.Acquired, time.Minute, "", false},
		"a run holds the lease":           {record.AcquireHeld, 0, "", false},
		"a newer request came in between": {record.Acquired, -time.Hour, record.OutcomeSuperseded, false},
	} {
		l := &sweepStore{records: newRecords(), due: []string{"a"}, outstanding: map[string]record.Outstanding{"a": {Runs: []queue.Task{task}, Overdue: true}}}
		l.acquire = func(token string) (record.AcquireResult, record.Run, error) {
			return c.result, record.Run{Op: task.Op, Token: token, TimeLeft: c.timeLeft, Store: provision.Store{Request: provision.Request{StoreID: "a"}, Generation: 2}}, nil
		}
		l.recordOutcome = func() (record.OutcomeResult, []queue.Task, error) { return c.outcome, []queue.Task{next}, nil }
		if err := newSweep(l).sweep(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if l.count("release a") != min(len(l.tokens)/2, 1) || len(l.ends) > 0 && l.ends[0] != (record.RunEnd{Ended: c.ended}) {
			t.Errorf("%s: the lease is released %d times, with %v", name, l.count("release a"), l.ends)
		}
		if c.ended && (l.recorded[0].status != provision.StatusFailed || l.recorded[0].code != provision.CodeTimeout || !strings.Contains(l.recorded[0].text, "no worker of its cluster")) {
			t.Errorf("%s: %v", name, l.recorded)
		}
		if revived := l.count("revive 2.a"); (revived == 0) != c.ended {
			t.Errorf("%s: its task is enqueued %d times; events %v", name, revived, l.events)
		}
	}
}

func TestSweeperEndsTheStoresOfALostClusterInOneRound(t *testing.T) {
	l := &sweepStore{records: newRecords(), passes: 3}
	if err := newSweep(l).sweep(t.Context()); err != nil || l.passes != 0 {
		t.Errorf("%v, %d passes are left", err, l.passes)
	}
	if len(l.leases) < 3 {
		t.Errorf("the lease was extended %d times", len(l.leases))
	}
}

func TestSweeperSweepsAlthoughALostClusterFails(t *testing.T) {
	l := &sweepStore{records: newRecords(), due: []string{"a"}, fail: map[string]error{"end lost stores": errors.New("away")}}
	if err := newSweep(l).sweep(t.Context()); err == nil || l.count("inspect a") != 1 {
		t.Errorf("%v, calls %q", err, l.events)
	}
}

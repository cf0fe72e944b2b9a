package worker

import (
	"context"
	"errors"
	"strings"
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

func (l *sweepStore) Queues(context.Context) ([]string, error) {
	return []string{queue.QueueProvision, queue.QueueDelete, queue.QueueCallback}, nil
}

func (l *sweepStore) RequeueOrphans(_ context.Context, q string) ([]string, error) {
	l.note("requeue orphans " + q)
	return nil, l.fail[q]
}

func newSweep(l *sweepStore) *sweeper {
	return newSweeper(l, l, l, newMetrics(prometheus.NewRegistry()), quiet())
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

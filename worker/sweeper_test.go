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

// store is what several stores wait for, and a lease on looking at it.
type ledger struct {
	*records
	leader string
	due    []string
	open   map[string]record.Outstanding
	fail   map[string]error // by store, queue, or "lead", "due"

	leases []time.Duration
}

func (l *ledger) LeadSweep(_ context.Context, token string, lease time.Duration) (bool, error) {
	l.leases = append(l.leases, lease)
	if l.leader == "" {
		l.leader = token
	}
	return l.leader == token, l.fail["lead"]
}

func (l *ledger) ResignSweep(ctx context.Context, token string) error {
	if l.leader == token && ctx.Err() == nil {
		l.leader = ""
	}
	return l.fail["resign"]
}

func (l *ledger) Due(context.Context, int, time.Duration) ([]string, error) {
	l.note("due")
	return l.due, l.fail["due"]
}

func (l *ledger) Inspect(_ context.Context, id string) (record.Outstanding, error) {
	l.note("look " + id)
	return l.open[id], l.fail[id]
}

func (l *ledger) Queues(context.Context) ([]string, error) {
	return []string{queue.QueueProvision, queue.QueueDelete, queue.QueueCallback}, nil
}

func (l *ledger) RequeueOrphans(_ context.Context, q string) ([]string, error) {
	l.note("rescue " + q)
	return nil, l.fail[q]
}

func newSweep(l *ledger) *sweeper {
	return newSweeper(l, l, l, newMetrics(prometheus.NewRegistry()), quiet())
}

func waiting(id string) record.Outstanding {
	return record.Outstanding{Runs: []queue.Task{{Op: provision.OpDelete, StoreID: id, Generation: 1}, {Op: provision.OpProvision, StoreID: id, Generation: 2}}}
}

var rescues = []string{"rescue provision", "rescue delete", "rescue callback", "due"}

func TestWhateverIsOwedGetsItsTask(t *testing.T) {
	l := &ledger{records: newRecords(), due: []string{"a", "b", "c"}, open: map[string]record.Outstanding{
		"a": waiting("a"),
		"b": {Callbacks: []queue.CallbackTask{{StoreID: "b", Sequence: 1}, {StoreID: "b", Sequence: 2}}},
	}}
	if err := newSweep(l).sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One delivery tells all callbacks of a store.
	want := append(rescues[:4:4], "look a", "revive 1.a", "revive 2.a", "look b", "revive call", "look c")
	if diff := cmp.Diff(want, l.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAStoreThatHasItsPlaceIsTriedAtOnce(t *testing.T) {
	l := &ledger{records: newRecords(), due: []string{"a"}, open: map[string]record.Outstanding{"a": {Runs: waiting("a").Runs[1:], TryNow: true}}}
	if err := newSweep(l).sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(rescues[:4:4], "look a", "revive soon 2.a"), l.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneStoreThatFailsDoesNotHoldUpTheOthers(t *testing.T) {
	l := &ledger{records: newRecords(), due: []string{"a", "b"}, open: map[string]record.Outstanding{"a": waiting("a"), "b": waiting("b")},
		fail: map[string]error{"a": errors.New("a does not parse"), queue.QueueDelete: errors.New("no rescue")}}
	err := newSweep(l).sweep(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a does not parse") || !strings.Contains(err.Error(), "no rescue") {
		t.Errorf("reported: %v", err)
	}
	want := append(rescues[:4:4], "look a", "look b", "revive 1.b", "revive 2.b")
	if diff := cmp.Diff(want, l.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestATaskThatCannotBeRevivedDoesNotHoldUpTheNext(t *testing.T) {
	l := &ledger{records: newRecords(), due: []string{"a", "b"}, open: map[string]record.Outstanding{"a": waiting("a"), "b": waiting("b")}}
	l.queue = errors.New("the queue is away")
	if err := newSweep(l).sweep(t.Context()); !errors.Is(err, l.queue) {
		t.Errorf("reported: %v", err)
	}
	if l.count("revive 1.a") != 1 || l.count("revive 2.a") != 1 || l.count("revive 2.b") != 1 {
		t.Errorf("events %v", l.events)
	}
}

func TestOnlyOneSweeps(t *testing.T) {
	l := &ledger{records: newRecords()}
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

func TestNothingIsSweptWithoutTheLease(t *testing.T) {
	l := &ledger{records: newRecords(), fail: map[string]error{"lead": errAway}}
	if err := newSweep(l).sweep(t.Context()); err != errAway || len(l.events) != 0 {
		t.Errorf("%v after %v", err, l.events)
	}
}

func TestSweepingGoesOnUntilTheWorkerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{records: newRecords(), fail: map[string]error{"due": errAway}} // a failure does not end it
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
func TestASweepEndsWithItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slow{ledger: &ledger{records: newRecords(), due: []string{"a"}}}
		s := newSweep(l.ledger)
		s.store = l
		start := time.Now()
		if err := s.sweep(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > sweepLease || l.leases[0] != sweepLease {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

type slow struct{ *ledger }

func (s *slow) Inspect(ctx context.Context, _ string) (record.Outstanding, error) {
	<-ctx.Done()
	return record.Outstanding{}, ctx.Err()
}

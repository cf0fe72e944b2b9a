package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

// lost is a Redis that has lost its data, the cluster that remembers, and whoever accepts requests.
type lost struct {
	whole    atomic.Bool
	memories []provision.SavedState
	answers  map[string]record.RestoreResult
	fail     error // of the restoration
	leader   bool

	surveys  int
	restored []string
	accepted []provision.Request
}

func (l *lost) Complete(context.Context) (bool, error) { return l.whole.Load(), nil }
func (l *lost) MarkComplete(context.Context) error     { l.whole.Store(true); return nil }
func (l *lost) Restore(_ context.Context, _ string, m provision.SavedState, _ time.Duration) (record.RestoreResult, error) {
	l.restored = append(l.restored, m.Store.StoreID)
	return l.answers[m.Store.StoreID], l.fail
}
func (l *lost) ListStores(context.Context) ([]provision.SavedState, error) {
	l.surveys++
	return l.memories, nil
}
func (l *lost) SaveOutcome(context.Context, provision.Store, provision.Outcome) error  { return nil }
func (l *lost) SaveDelivered(context.Context, provision.Store, provision.Status) error { return nil }
func (l *lost) leads(context.Context) (bool, error)                                    { return l.leader, nil }
func (l *lost) Accept(_ context.Context, r provision.Request) (provision.Accepted, error) {
	l.accepted = append(l.accepted, r)
	return provision.Accepted{}, nil
}

func (l *lost) remembers(ids ...string) *lost {
	for _, id := range ids {
		l.memories = append(l.memories, provision.SavedState{Store: provision.Store{Request: provision.Request{StoreID: id}}})
	}
	return l
}

// keptAll makes it a Redis that has lost nothing yet.
func (l *lost) keptAll() *lost {
	l.whole.Store(true)
	return l
}

func (l *lost) rebuilder() *recoverer {
	return &recoverer{records: l, state: l, acceptor: l, leads: l.leads, generationTimeout: time.Hour, log: quiet()}
}

func TestRecordsAreWholeOnlyAfterEachStoreWasRestored(t *testing.T) {
	l := (&lost{fail: errors.New("one does not restore")}).remembers("a", "b")
	b := l.rebuilder()
	if err := b.round(t.Context()); !errors.Is(err, l.fail) || l.whole.Load() {
		t.Fatalf("%v, and the records are whole: %t", err, l.whole.Load())
	}
	if len(l.restored) != 2 {
		t.Errorf("restored %v: one failure kept the others from it", l.restored)
	}
	l.fail = nil
	if err := b.round(t.Context()); err != nil || !l.whole.Load() {
		t.Errorf("%v, and the records are whole: %t", err, l.whole.Load())
	}
}

func TestANamespaceThatOutlivedItsDeleteIsDeleted(t *testing.T) {
	l := (&lost{leader: true, answers: map[string]record.RestoreResult{"b": record.RestoreLeftover}}).keptAll().remembers("a", "b")
	if err := l.rebuilder().round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(l.accepted) != 1 || l.accepted[0].StoreID != "b" || l.accepted[0].Action != provision.OpDelete {
		t.Errorf("accepted %+v", l.accepted)
	}
}

func TestOneWorkerComparesEveryTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, other := (&lost{leader: true}).keptAll(), (&lost{}).keptAll()
		ctx, cancel := context.WithCancel(t.Context())
		go l.rebuilder().run(ctx)
		go other.rebuilder().run(ctx)
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		if l.surveys != 3 || other.surveys != 0 {
			t.Errorf("%d surveys by the one, %d by the other in 25 minutes", l.surveys, other.surveys)
		}
		cancel()
		synctest.Wait()
	})
}

func TestTheLossOfRedisIsNoticedInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := (&lost{}).keptAll()
		ctx, cancel := context.WithCancel(t.Context())
		go l.rebuilder().run(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		l.whole.Store(false)
		time.Sleep(completeEvery)
		synctest.Wait()
		if !l.whole.Load() || l.surveys != 1 {
			t.Errorf("whole %t after %d surveys", l.whole.Load(), l.surveys)
		}
		cancel()
		synctest.Wait()
	})
}

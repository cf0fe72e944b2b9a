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

// lossyRedis is a Redis that may have lost its data, the cluster with the saved states, and the acceptor of requests.
type lossyRedis struct {
	complete atomic.Bool
	saved    []provision.SavedState
	answers  map[string]record.RestoreResult
	fail     error // of the restoration
	leader   bool

	lists    int
	restored []string
	accepted []provision.Request
}

func (l *lossyRedis) Complete(context.Context) (bool, error) { return l.complete.Load(), nil }
func (l *lossyRedis) MarkComplete(context.Context) error     { l.complete.Store(true); return nil }
func (l *lossyRedis) Restore(_ context.Context, _ string, m provision.SavedState, _ time.Duration) (record.RestoreResult, error) {
	l.restored = append(l.restored, m.Store.StoreID)
	return l.answers[m.Store.StoreID], l.fail
}
func (l *lossyRedis) ListStores(context.Context) ([]provision.SavedState, error) {
	l.lists++
	return l.saved, nil
}
func (l *lossyRedis) SaveOutcome(context.Context, provision.Store, provision.Outcome) error {
	return nil
}
func (l *lossyRedis) SaveDelivered(context.Context, provision.Store, provision.Status) error {
	return nil
}
func (l *lossyRedis) leads(context.Context) (bool, error) { return l.leader, nil }
func (l *lossyRedis) Accept(_ context.Context, r provision.Request) (provision.Accepted, error) {
	l.accepted = append(l.accepted, r)
	return provision.Accepted{}, nil
}

func (l *lossyRedis) saves(ids ...string) *lossyRedis {
	for _, id := range ids {
		l.saved = append(l.saved, provision.SavedState{Store: provision.Store{Request: provision.Request{StoreID: id}}})
	}
	return l
}

// intact makes it a Redis that has lost nothing yet.
func (l *lossyRedis) intact() *lossyRedis {
	l.complete.Store(true)
	return l
}

func (l *lossyRedis) recoverer() *recoverer {
	return &recoverer{records: l, state: l, acceptor: l, leads: l.leads, generationTimeout: time.Hour, log: quiet()}
}

func TestRecovererMarksCompleteAfterEveryStoreWasRestored(t *testing.T) {
	l := (&lossyRedis{fail: errors.New("one does not restore")}).saves("a", "b")
	r := l.recoverer()
	if err := r.round(t.Context()); !errors.Is(err, l.fail) || l.complete.Load() {
		t.Fatalf("%v, and the records are complete: %t", err, l.complete.Load())
	}
	if len(l.restored) != 2 {
		t.Errorf("restored %v: one failure kept the others from it", l.restored)
	}
	l.fail = nil
	if err := r.round(t.Context()); err != nil || !l.complete.Load() {
		t.Errorf("%v, and the records are complete: %t", err, l.complete.Load())
	}
}

func TestRecovererDeletesALeftoverNamespace(t *testing.T) {
	l := (&lossyRedis{leader: true, answers: map[string]record.RestoreResult{"b": record.RestoreLeftover}}).intact().saves("a", "b")
	if err := l.recoverer().round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(l.accepted) != 1 || l.accepted[0].StoreID != "b" || l.accepted[0].Action != provision.OpDelete {
		t.Errorf("accepted %+v", l.accepted)
	}
}

func TestRecovererReconcilesEveryTenMinutesInOneWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, other := (&lossyRedis{leader: true}).intact(), (&lossyRedis{}).intact()
		ctx, cancel := context.WithCancel(t.Context())
		go l.recoverer().run(ctx)
		go other.recoverer().run(ctx)
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		if l.lists != 3 || other.lists != 0 {
			t.Errorf("%d reconciliations by the one, %d by the other in 25 minutes", l.lists, other.lists)
		}
		cancel()
		synctest.Wait()
	})
}

func TestRecovererNoticesTheLossOfRedisInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := (&lossyRedis{}).intact()
		ctx, cancel := context.WithCancel(t.Context())
		go l.recoverer().run(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		l.complete.Store(false)
		time.Sleep(completeEvery)
		synctest.Wait()
		if !l.complete.Load() || l.lists != 1 {
			t.Errorf("complete %t after %d reconciliations", l.complete.Load(), l.lists)
		}
		cancel()
		synctest.Wait()
	})
}

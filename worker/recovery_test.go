package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

// leftoverGeneration is the newest generation on record of every store.
const leftoverGeneration = 7

// lossyRedis is a Redis that may have lost its data, the cluster with the saved states, and the acceptor of requests.
type lossyRedis struct {
	mu       sync.Mutex
	complete atomic.Bool
	saved    []provision.SavedState
	answers  map[string]record.RestoreResult
	known    map[string]record.Comparison // of stores whose record is as new
	fail     error                        // of the restoration
	latency  time.Duration                // of the restoration
	leader   bool

	lists     int
	foreign   map[string]int
	tests     []provision.SavedRestoreTest
	restored  []string
	wrote     []string // outcomes and deliveries that were saved in the cluster
	failWrite error
	accepted  []provision.Request
}

func (l *lossyRedis) Complete(context.Context) (bool, error) { return l.complete.Load(), nil }
func (l *lossyRedis) MarkComplete(context.Context) error     { l.complete.Store(true); return nil }
func (l *lossyRedis) Restore(_ context.Context, _ string, m provision.SavedState, _ time.Duration) (record.Comparison, error) {
	time.Sleep(l.latency)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restored = append(l.restored, m.Store.StoreID)
	found := record.Comparison{Result: l.answers[m.Store.StoreID], Newest: leftoverGeneration}
	if known, ok := l.known[m.Store.StoreID]; ok {
		found = known
	}
	return found, l.fail
}
func (l *lossyRedis) ListStores(context.Context) (provision.SavedStores, error) {
	l.lists++
	return provision.SavedStores{Stores: l.saved, Foreign: l.foreign, RestoreTests: l.tests}, nil
}
func (l *lossyRedis) SaveOutcome(_ context.Context, s provision.Store, o provision.Outcome) error {
	return l.write(s.StoreID + " " + string(o.Status))
}
func (l *lossyRedis) SaveDelivered(_ context.Context, s provision.Store, status provision.Status) error {
	return l.write(s.StoreID + " delivered " + string(status))
}
func (l *lossyRedis) SaveProtected(_ context.Context, s provision.Store, protected bool) error {
	return l.write(fmt.Sprintf("%s protected %t", s.StoreID, protected))
}
func (l *lossyRedis) write(what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrote = append(l.wrote, what)
	return l.failWrite
}
func (l *lossyRedis) leads(context.Context) (bool, error) { return l.leader, nil }
func (l *lossyRedis) AcceptIf(_ context.Context, r provision.Request, generation int64) (provision.Accepted, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if generation == leftoverGeneration {
		l.accepted = append(l.accepted, r)
	}
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
	return &recoverer{records: l, state: l, acceptor: l, leads: l.leads, generationTimeout: time.Hour, metrics: newMetrics(prometheus.NewRegistry()), log: quiet()}
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

// 10,000 stores over 20 ms to Redis were never done in the two minutes that all together had.
func TestRecovererReconcilesManyStoresOverASlowConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lossyRedis{latency: 20 * time.Millisecond}
		for i := range 10_000 {
			l.saves(fmt.Sprint("s", i))
		}
		start := time.Now()
		if err := l.recoverer().round(t.Context()); err != nil || !l.complete.Load() || len(l.restored) != 10_000 {
			t.Errorf("%d stores were restored, complete: %t, %v", len(l.restored), l.complete.Load(), err)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestRecovererStopsAndSaysHowManyStoresFail(t *testing.T) {
	l := &lossyRedis{fail: errors.New("no answer")}
	for i := range 10_000 {
		l.saves(fmt.Sprint("s", i))
	}
	err := l.recoverer().round(t.Context())
	if !errors.Is(err, l.fail) || l.complete.Load() || len(err.Error()) > 300 || !strings.Contains(err.Error(), " of 10000 stores failed") {
		t.Errorf("complete: %t, %v", l.complete.Load(), err)
	}
	if len(l.restored) > giveUpAfter+storesAtOnce {
		t.Errorf("%d stores were tried", len(l.restored))
	}
}

func TestRecovererCountsTheStoresOfOthersAndLogsThemOnce(t *testing.T) {
	l := (&lossyRedis{leader: true, foreign: map[string]int{"staging": 3, "": 1}}).intact()
	registry, log := prometheus.NewRegistry(), &strings.Builder{}
	r := l.recoverer()
	r.metrics, r.log = newMetrics(registry), slog.New(slog.NewTextHandler(log, nil))
	for range 2 {
		r.reconciled = time.Time{}
		if err := r.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "stores of another installation"); n != 2 { // one line for each
		t.Errorf("%d lines are logged, want 2:\n%s", n, log)
	}
	l.foreign = map[string]int{"staging": 2}
	r.reconciled = time.Time{}
	if err := r.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := "# HELP orchestrator_foreign_stores Stores of other installations in a cluster, which are left alone; by the worker that reconciles it.\n" +
		"# TYPE orchestrator_foreign_stores gauge\n" +
		`orchestrator_foreign_stores{cluster="default",installation=""} 0` + "\n" +
		`orchestrator_foreign_stores{cluster="default",installation="staging"} 2` + "\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "orchestrator_foreign_stores"); err != nil {
		t.Error(err)
	}
	if len(l.restored)+len(l.accepted) != 0 {
		t.Errorf("restored %v, accepted %v", l.restored, l.accepted)
	}
}

// TestRecovererSavesWhatTheClusterDoesNotKnow: the API server was away when the outcome was recorded, or the worker ended. After a loss of Redis the
// backend would be told once more.
func TestRecovererSavesWhatTheClusterDoesNotKnow(t *testing.T) {
	outcome := func(status provision.Status) *provision.Outcome {
		return &provision.Outcome{Generation: 7, Status: status}
	}
	known := func(status provision.Status, delivered bool) record.Comparison {
		return record.Comparison{Result: record.RestoreKnown, Newest: 7, Outcome: outcome(status), Delivered: delivered}
	}
	tests := []struct {
		id        string
		saved     *provision.Outcome
		delivered bool
		found     record.Comparison
		want      []string
	}{
		{"nothing is saved", nil, false, known(provision.StatusReady, true), []string{"nothing is saved READY", "nothing is saved delivered READY"}},
		{"not delivered yet", nil, false, known(provision.StatusFailed, false), []string{"not delivered yet FAILED"}},
		{"delivery is not saved", outcome(provision.StatusReady), false, known(provision.StatusReady, true), []string{"delivery is not saved delivered READY"}},
		{"became ready", outcome(provision.StatusFailed), true, known(provision.StatusReady, true), []string{"became ready READY", "became ready delivered READY"}},
		{"assumed", outcome(provision.StatusReady), true, known(provision.StatusReady, true), []string{"assumed READY", "assumed delivered READY"}},
		{"all is saved", outcome(provision.StatusReady), true, known(provision.StatusReady, true), nil},
		{"no outcome", nil, false, record.Comparison{Result: record.RestoreKnown, Newest: 7}, nil},
		{"protected", nil, false, record.Comparison{Result: record.RestoreKnown, Newest: 7, Protected: true}, []string{"protected protected true"}},
		{"protected in another generation", nil, false, record.Comparison{Result: record.RestoreKnown, Newest: 8, Protected: true}, nil},
	}
	for _, test := range tests {
		l := (&lossyRedis{leader: true, known: map[string]record.Comparison{test.id: test.found}}).intact().saves(test.id)
		l.saved[0].Outcome, l.saved[0].Delivered, l.saved[0].Store.Generation = test.saved, test.delivered, 7
		l.saved[0].Assumed = test.id == "assumed"
		if err := l.recoverer().round(t.Context()); err != nil || !slices.Equal(l.wrote, test.want) {
			t.Errorf("%s: saved %q, want %q (%v)", test.id, l.wrote, test.want, err)
		}
		if l.failWrite = errors.New("away"); len(test.want) > 0 {
			if err := l.recoverer().round(t.Context()); !errors.Is(err, l.failWrite) {
				t.Errorf("%s: an API server that is away gives %v", test.id, err)
			}
		}
	}
}

// TestRestoreTestsThatWereLeftBehindAreRemoved, and no other: one that is younger may be under way.
func TestRestoreTestsThatWereLeftBehindAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lossyRedis{leader: true}
		l.complete.Store(true)
		for id, age := range map[string]time.Duration{"left": provision.RestoreTestTimeout + time.Minute, "under-way": provision.RestoreTestTimeout - time.Minute} {
			l.tests = append(l.tests, provision.SavedRestoreTest{Store: provision.Store{Request: provision.Request{StoreID: id}}, Began: time.Now().Add(-age)})
		}
		var removed []string
		b := l.recoverer()
		b.endTest = func(_ context.Context, s provision.Store) error {
			removed = append(removed, s.StoreID)
			return errors.New("held") // it is found again
		}
		if err := b.round(t.Context()); err != nil || !slices.Equal(removed, []string{"left"}) {
			t.Errorf("removed %v, %v", removed, err)
		}
	})
}

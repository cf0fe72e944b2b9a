package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/worker"
	"orchestrator/worker/record"
)

// stalled is a cluster whose API server can be stopped and started: nothing is refused, nothing answers.
type stalled struct {
	worker.Runner
	name string

	mu    sync.Mutex
	going chan struct{} // closed while it answers
	ran   []string
}

func newStalled(name string) *stalled {
	s := &stalled{Runner: quick(), name: name}
	s.stop()
	return s
}

func (s *stalled) stop() { s.mu.Lock(); s.going = make(chan struct{}); s.mu.Unlock() }
func (s *stalled) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.going)
}

// answer waits for the API server, until ctx ends.
func (s *stalled) answer(ctx context.Context) error {
	s.mu.Lock()
	going := s.going
	s.mu.Unlock()
	select {
	case <-going:
		return nil
	case <-ctx.Done():
		return provision.Wrap(provision.CodeUnavailable, context.Cause(ctx), "the Kubernetes API did not answer")
	}
}

func (s *stalled) Run(ctx context.Context, op provision.Op, store provision.Store, onStep func(provision.Step)) error {
	if err := s.answer(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.ran = append(s.ran, store.StoreID+" "+store.Cluster)
	s.mu.Unlock()
	return s.Runner.Run(ctx, op, store, onStep)
}

func (s *stalled) Password(ctx context.Context, store provision.Store) (string, error) {
	return "of " + store.StoreID + " on " + s.name, s.answer(ctx)
}

func (s *stalled) cluster() worker.Cluster {
	c := oneCluster(s.name, s)
	c.Passwords, c.Check = s, s.answer
	return c
}

// respond makes the backend answer everything so.
func (b *backend) respond(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = func(int) int { return status }
}

func clusters(all ...worker.Cluster) func(*worker.Config) {
	return func(c *worker.Config) { c.Clusters = all }
}

// setClusters makes the service accept for these clusters.
func (s *service) setClusters(t *testing.T, names string) {
	t.Helper()
	var p provision.Placement
	if err := p.Clusters.UnmarshalText([]byte(names)); err != nil {
		t.Fatal(err)
	}
	s.intake.Records = record.New(s.redis, record.Options{Placement: p})
}

func onCluster(name string, r provision.Request) provision.Request {
	r.Cluster = name
	return r
}

// TestWorkerIsNotSlowedByAClusterThatHangs fills every slot of a cluster that does not answer. All stores of the other one become
// READY meanwhile, and its own once it answers.
func TestWorkerIsNotSlowedByAClusterThatHangs(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.setClusters(t, "eu,us")
		eu, us := newStalled("eu"), newStalled("us")
		eu.start()
		few := func(c *worker.Config) { c.Slots = worker.Slots{Provision: 2, Delete: 1, Callback: 2} }
		s.work(t, clusters(eu.cluster(), us.cluster()), few)
		const stores = 10
		for i := range stores { // the ones that hang come first
			s.accept(t, onCluster("us", shop(fmt.Sprint("us-", i))))
			s.accept(t, onCluster("us", remove(fmt.Sprint("gone-", i))))
		}
		for i := range stores {
			s.accept(t, onCluster("eu", shop(fmt.Sprint("eu-", i))))
		}
		for i := range stores {
			id := fmt.Sprint("eu-", i)
			if ready := s.backend.await(t, id, "READY")[0]; ready.password != "of "+id+" on eu" {
				t.Errorf("delivered %+v", ready)
			}
		}
		if len(us.ran) != 0 {
			t.Errorf("on the cluster that hangs ran %v", us.ran)
		}
		us.start()
		for i := range stores {
			id := fmt.Sprint("us-", i)
			if ready := s.backend.await(t, id, "READY")[0]; ready.password != "of "+id+" on us" {
				t.Errorf("delivered %+v", ready)
			}
			if state := s.settled(t, id); state.Attempts+state.Crashes != 0 || state.Cluster != "us" {
				t.Errorf("shown as %+v", state)
			}
		}
	})
}

// TestWorkerIsNotHeldUpByPasswordsThatHang stops a cluster between the outcome and its callback.
func TestWorkerIsNotHeldUpByPasswordsThatHang(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.setClusters(t, "eu,us")
		eu, us := newStalled("eu"), newStalled("us")
		eu.start()
		c := us.cluster()
		c.Runner = quick()
		s.work(t, clusters(eu.cluster(), c), func(c *worker.Config) { c.Slots.Callback = 1 })
		for i := range 3 {
			s.accept(t, onCluster("us", shop(fmt.Sprint("us-", i))))
		}
		eventually(t, "outcomes wait to be delivered", func() bool { return s.state(t, "us-2").PendingCallbacks == 1 })
		s.accept(t, onCluster("eu", shop("eu")))
		s.backend.await(t, "eu", "READY")
		us.start()
		for i := range 3 {
			s.backend.await(t, fmt.Sprint("us-", i), "READY")
		}
	})
}

// TestWorkerPerCluster has two workers that each serve one.
func TestWorkerPerCluster(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.setClusters(t, "default,us")
		eu, us := newStalled("default"), newStalled("us")
		eu.start()
		us.start()
		s.work(t, clusters(eu.cluster()))
		s.work(t, clusters(us.cluster()))
		for _, name := range []string{"default", "us"} {
			s.accept(t, onCluster(name, shop(name)))
			if ready := s.backend.await(t, name, "READY")[0]; ready.password != "of "+name+" on "+name {
				t.Errorf("delivered %+v", ready)
			}
		}
		// A store moves by being deleted; its callbacks stay in order, though two queues deliver them.
		s.accept(t, remove("us"))
		s.backend.await(t, "us", "READY", "DELETED")
		s.accept(t, onCluster("default", shop("us")))
		if calls := s.backend.await(t, "us", "READY", "DELETED", "READY"); calls[2].password != "of us on default" {
			t.Errorf("delivered %+v", calls[2])
		}
		// No record names its cluster: each worker has to delete it.
		s.accept(t, remove("unknown"))
		s.backend.await(t, "unknown", "DELETED")
		for _, cluster := range []*stalled{eu, us} {
			cluster.mu.Lock()
			if last := cluster.ran[len(cluster.ran)-1]; !strings.HasPrefix(last, "unknown") {
				t.Errorf("on %s the last run was of %s", cluster.name, last)
			}
			cluster.mu.Unlock()
		}
		s.settled(t, "unknown")
		s.settled(t, "us")
	})
}

// TestWorkerHandsOverAREADYOfAnotherCluster leaves DELETED of one cluster pending until READY of the next one waits behind it.
func TestWorkerHandsOverAREADYOfAnotherCluster(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.setClusters(t, "eu,us")
		eu, us := newStalled("eu"), newStalled("us")
		eu.start()
		us.start()
		s.backend.respond(500)
		s.work(t, clusters(eu.cluster(), us.cluster()))
		s.accept(t, onCluster("eu", shop("a")))
		eventually(t, "it is READY", func() bool { return s.state(t, "a").Status == provision.StatusReady })
		s.accept(t, remove("a"))
		eventually(t, "it is gone", func() bool { return s.state(t, "a").Status == provision.StatusDeleted })
		s.accept(t, onCluster("us", shop("a")))
		eventually(t, "it is READY again", func() bool { return s.state(t, "a").Status == provision.StatusReady })
		s.backend.respond(200)
		eventually(t, "all is delivered", func() bool { return s.state(t, "a").PendingCallbacks == 0 })
		calls := s.backend.of("a")
		if last := calls[len(calls)-1]; last.status != "READY" || last.password != "of a on us" {
			t.Errorf("delivered at last %+v", last)
		}
		s.settled(t, "a")
	})
}

func TestWorkerIsReadyWhileOneClusterAnswers(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		us, away := newStalled("us"), oneCluster("eu", quick())
		away.Check = func(context.Context) error { return errors.New("connection refused") }
		c := worker.Config{Redis: s.redis, Server: s.redis, Clusters: []worker.Cluster{away, away},
			Limits: worker.DefaultLimits(), Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)}
		if _, err := worker.New(c); err == nil {
			t.Error("one cluster was taken twice")
		}
		check := func(clusters ...worker.Cluster) error {
			c.Clusters, c.Metrics = clusters, prometheus.NewRegistry()
			w, err := worker.New(c)
			if err != nil {
				t.Fatal(err)
			}
			return w.Check(t.Context())
		}
		if err := check(away); err == nil || !strings.Contains(err.Error(), "eu") {
			t.Errorf("without a cluster: %v", err)
		}
		if err := check(us.cluster(), oneCluster("asia", quick()), away); err != nil { // us hangs
			t.Errorf("with one that answers: %v", err)
		}
		us.start()
	})
}

// TestWorkerCompletesTheRecordsWhenTheLastClusterAnswers loses Redis while one cluster cannot be asked.
func TestWorkerCompletesTheRecordsWhenTheLastClusterAnswers(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.setClusters(t, "eu,us")
		if err := s.redis.Del(t.Context(), "{orch}:complete").Err(); err != nil {
			t.Fatal(err)
		}
		eu, us := newStalled("eu"), newStalled("us")
		eu.start()
		known, away := eu.cluster(), us.cluster()
		known.State, away.State = savedStore{known.State, eu, "a"}, savedStore{away.State, us, "b"}
		s.work(t, clusters(known, away))
		accept := func(id, title string) error {
			changed := shop(id)
			changed.Settings.Title = title
			_, err := s.intake.Accept(t.Context(), changed)
			return err
		}
		eventually(t, "a store that its cluster has brought back is accepted", func() bool { return accept("a", "new") == nil })
		for _, id := range []string{"b", "c"} {
			if err := accept(id, "new"); provision.CodeOf(err) != provision.CodeUnavailable || !strings.Contains(err.Error(), "cluster us") {
				t.Errorf("store %s: %v", id, err)
			}
		}
		us.start()
		eventually(t, "all is accepted", func() bool { return accept("c", "new") == nil })
		if state := s.state(t, "b"); state.Cluster != "us" {
			t.Errorf("restored as %+v", state)
		}
	})
}

// savedStore is a cluster with one store that is READY.
type savedStore struct {
	worker.ClusterState
	cluster *stalled
	id      string
}

func (r savedStore) ListStores(ctx context.Context) (provision.SavedStores, error) {
	return provision.SavedStores{Stores: []provision.SavedState{{Store: provision.Store{Request: shop(r.id), Generation: 100}, Op: provision.OpProvision, Delivered: true,
		Outcome: &provision.Outcome{Generation: 100, Status: provision.StatusReady}}}}, r.cluster.answer(ctx)
}

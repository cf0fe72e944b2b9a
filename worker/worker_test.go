package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/provision/mock"
	"orchestrator/worker"
)

// each runs a test on both kinds of Redis.
func each(t *testing.T, test func(t *testing.T, s *service)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, url string) { redistest.Parallel(t); test(t, newService(t, url)) })
}

func TestWorkerProvisionsAndDeletesAStore(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.work(t)
		accepted := s.accept(t, shop("a"))
		ready := s.backend.await(t, "a", "READY")[0]
		password, _ := mock.Passwords{Token: token}.Password(t.Context(), provision.Store{Request: shop("a")})
		want := delivered{store: "a", id: ready.id, status: "READY", password: password, url: "https://a.example", generation: accepted.Generation, sequence: 1}
		if ready != want {
			t.Errorf("delivered %+v, want %+v", ready, want)
		}
		if state := s.settled(t, "a"); state.Status != provision.StatusReady || state.Attempts+state.Crashes != 0 || len(state.Steps) != 8 {
			t.Errorf("shown as %+v", state)
		}
		s.accept(t, remove("a"))
		deleted := s.backend.await(t, "a", "READY", "DELETED")[1]
		if deleted.password != "" || deleted.url != "" || deleted.id == ready.id || deleted.sequence != 2 {
			t.Errorf("delivered %+v", deleted)
		}
		if state := s.settled(t, "a"); state.Status != provision.StatusDeleted {
			t.Errorf("shown as %+v", state)
		}
	})
}

func TestWorkerDeletesAnUnknownStore(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.work(t)
		s.accept(t, remove("a"))
		s.backend.await(t, "a", "DELETED")
		s.settled(t, "a")
	})
}

func TestWorkerRunsEqualRequestsOnce(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		h := hold(once())
		s.work(t, runHandler(h))
		first := s.accept(t, shop("a"))
		receive(t, h.started, "the run begins")
		second := s.accept(t, shop("a"))
		if !second.Joined || second.Generation != first.Generation || second.TaskID != first.TaskID {
			t.Errorf("accepted as %+v and %+v", first, second)
		}
		close(h.letGo)
		s.backend.await(t, "a", "READY")
		s.settled(t, "a")

		third := s.accept(t, shop("a"))
		if third.Joined || third.Generation <= first.Generation {
			t.Errorf("after its outcome accepted as %+v", third)
		}
		if calls := s.backend.await(t, "a", "READY", "READY"); calls[0].id == calls[1].id || calls[0].password != calls[1].password {
			t.Errorf("delivered %+v", calls)
		}
	})
}

func TestWorkerSupersedesARunAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		h := hold(once())
		s.work(t, runHandler(h))
		s.accept(t, shop("a"))
		receive(t, h.started, "the run begins")
		eventually(t, "the worker listens for newer requests", func() bool {
			return s.redis.PubSubNumSub(t.Context(), "{orch}:newest").Val()["{orch}:newest"] > 0
		})
		changed := shop("a")
		changed.Settings.Title = "Another title"
		start, newer := time.Now(), s.accept(t, changed)
		if err := receive(t, h.ended, "the run ends"); provision.CodeOf(err) != provision.CodeSuperseded || time.Since(start) > 5*time.Second { // by renewal it takes ten
			t.Errorf("after %s the older run ended with %v", time.Since(start), err)
		}
		if ready := s.backend.await(t, "a", "READY")[0]; ready.generation != newer.Generation {
			t.Errorf("delivered %+v, want generation %d", ready, newer.Generation)
		}
		s.settled(t, "a")
	})
}

func TestWorkerSupersedesAProvisionByADelete(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		h := hold(once())
		s.work(t, runHandler(h))
		s.accept(t, shop("a"))
		receive(t, h.started, "the run begins")
		s.accept(t, remove("a"))
		s.backend.await(t, "a", "DELETED")
		s.settled(t, "a")
	})
}

func TestWorkerProvisionsAfterTheDelete(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		h := hold(deletes)
		s.work(t, runHandler(h))
		s.accept(t, remove("a"))
		receive(t, h.started, "the delete begins")
		newer := s.accept(t, shop("a"))
		close(h.letGo)
		calls := s.backend.await(t, "a", "DELETED", "READY")
		if calls[1].generation != newer.Generation || calls[0].generation >= newer.Generation {
			t.Errorf("delivered %+v", calls)
		}
		if len(h.ended) != 0 {
			t.Error("the delete was superseded")
		}
		s.settled(t, "a")
	})
}

// fails is a runner that fails once and then does its work.
type fails struct {
	worker.Runner
	first func(provision.Op, provision.Store) bool
	with  func() error
}

func (f *fails) Run(ctx context.Context, op provision.Op, s provision.Store, onStep func(provision.Step)) error {
	if f.first(op, s) {
		return f.with()
	}
	return f.Runner.Run(ctx, op, s, onStep)
}

func TestWorkerRunsAFailedStoreAgain(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.work(t, runHandler(&fails{quick(), once(), func() error {
			return provision.Wrap(provision.CodeQuota, errors.New("10.0.0.1"), "the quota of ns-a is used up")
		}}))
		s.accept(t, shop("a"))
		failed := s.backend.await(t, "a", "FAILED")[0]
		if failed.err != "the quota of ns-a is used up" || failed.password != "" || failed.url != "" {
			t.Errorf("delivered %+v", failed)
		}
		s.settled(t, "a")
		s.accept(t, shop("a"))
		s.backend.await(t, "a", "FAILED", "READY")
	})
}

func TestWorkerCountsAPanicAsAnAttempt(t *testing.T) {
	t.Parallel()
	s := newService(t, redistest.Real(t))
	s.work(t, runHandler(&fails{quick(), once(), func() error { panic("a step has a defect") }}))
	s.accept(t, shop("a"))
	s.backend.await(t, "a", "READY")
	if state := s.settled(t, "a"); state.Attempts != 1 || state.Crashes != 0 {
		t.Errorf("%d attempts, %d crashes", state.Attempts, state.Crashes)
	}
}

func TestWorkerDeliversProgress(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		h := hold(func(provision.Op, provision.Store) bool { return true })
		s.work(t, runHandler(h), func(c *worker.Config) { c.Progress = true })
		s.accept(t, shop("a"))
		s.backend.await(t, "a", "PROVISIONING")
		eventually(t, "it is recorded", func() bool { return s.state(t, "a").PendingCallbacks == 0 })
		h.letGo <- struct{}{}
		s.backend.await(t, "a", "PROVISIONING", "READY")
		s.settled(t, "a")
		s.accept(t, remove("a"))
		s.backend.await(t, "a", "PROVISIONING", "READY", "DELETING")
		eventually(t, "it is recorded", func() bool { return s.state(t, "a").PendingCallbacks == 0 })
		h.letGo <- struct{}{}
		s.backend.await(t, "a", "PROVISIONING", "READY", "DELETING", "DELETED")
	})
}

// losesPassword is a password store that has lost the password of one generation.
type losesPassword struct {
	worker.Passwords
	first func(provision.Op, provision.Store) bool
}

func (l losesPassword) Password(ctx context.Context, s provision.Store) (string, error) {
	if l.first("", s) {
		return "", provision.ErrNoCredentials
	}
	return l.Passwords.Password(ctx, s)
}

func TestWorkerRunsAStoreWithoutPasswordAgain(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.work(t, func(c *worker.Config) { c.Clusters[0].Passwords = losesPassword{c.Clusters[0].Passwords, once()} })
		first := s.accept(t, shop("a"))
		if ready := s.backend.await(t, "a", "READY")[0]; ready.generation <= first.Generation || ready.password == "" {
			t.Errorf("delivered %+v", ready)
		}
		s.settled(t, "a")
	})
}

func TestWorkerIsNotReadyWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Durable(t)
	s := newService(t, server.URL)
	c := worker.Config{Redis: s.redis, Limits: worker.DefaultLimits()}
	c.Limits.MaxAttempts = 0
	if _, err := worker.New(c); err == nil || !strings.Contains(err.Error(), "attempts") {
		t.Errorf("limits that contradict each other: %v", err)
	}
	if err := s.Requests.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	server.Kill()
	if err := s.Requests.Ping(t.Context()); provision.CodeOf(err) != provision.CodeUnavailable {
		t.Errorf("without Redis: %v", err)
	}
}

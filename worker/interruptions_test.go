package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

func TestWorkerStoppingHandsItsRunsOver(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		h := hold(func(provision.Op, provision.Store) bool { return true })
		stop := s.work(t, runHandler(h))
		for _, id := range []string{"a", "b", "c"} {
			s.accept(t, shop(id))
			receive(t, h.started, "the run begins")
		}
		stop()
		for range 3 {
			if err := receive(t, h.ended, "the run ends"); provision.CodeOf(err) != provision.CodeUnavailable {
				t.Errorf("the run ended with %v", err)
			}
		}
		if all, _ := s.backend.all(); len(all) != 0 {
			t.Errorf("delivered %v", all)
		}
		for _, id := range []string{"a", "b", "c"} {
			if state := s.state(t, id); state.Running {
				t.Errorf("the lease of %s is still held", id)
			}
		}
		s.work(t)
		for _, id := range []string{"a", "b", "c"} {
			s.backend.await(t, id, "READY")
			if state := s.settled(t, id); state.Attempts != 0 || state.Crashes != 0 {
				t.Errorf("%s: %d attempts, %d crashes", id, state.Attempts, state.Crashes)
			}
		}
	})
}

func TestWorkerStoppingLeavesItsCallbackToAnother(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		slow := &silent{began: make(chan struct{}, 1)}
		stop := s.work(t, func(c *worker.Config) { c.Sender = slow })
		s.accept(t, shop("a"))
		receive(t, slow.began, "the POST begins")
		stop()
		s.work(t)
		s.backend.await(t, "a", "READY")
		s.settled(t, "a")
	})
}

// What was accepted, and what was decided, outlives the loss of its task.
func TestWorkerSweepsWhatHasNoTask(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		if _, err := s.Requests.Accept(t.Context(), shop("accepted"), time.Hour); err != nil {
			t.Fatal(err)
		}
		s.decided(t, "decided")
		for _, id := range []string{"accepted", "decided"} {
			s.due(t, id)
		}
		s.work(t)
		for _, id := range []string{"accepted", "decided"} {
			s.backend.await(t, id, "READY")
			s.settled(t, id)
		}
	})
}

// decided is a store whose worker died between the outcome and its callback.
func (s *service) decided(t *testing.T, id string) {
	t.Helper()
	accepted, err := s.Requests.Accept(t.Context(), shop(id), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	task := queue.Task{Op: provision.OpProvision, StoreID: id, Generation: accepted.Generation, Cluster: provision.DefaultCluster}
	_, run, err := s.Runs.Acquire(t.Context(), task, "dead", time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	if result, _, err := s.Runs.RecordOutcome(t.Context(), run, provision.StatusReady, "", ""); err != nil || result != record.OutcomeRecorded {
		t.Fatalf("%s, %v", result, err)
	}
	if _, err := s.Runs.Release(t.Context(), run, record.RunEnd{Ended: true}); err != nil {
		t.Fatal(err)
	}
}

// The task is active without a worker: that died, and its lease expired.
func TestWorkerTakesOverTheTaskOfADeadOne(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.accept(t, shop("a"))
		if err := s.redis.LMove(t.Context(), "asynq:{provision}:pending", "asynq:{provision}:active", "RIGHT", "LEFT").Err(); err != nil {
			t.Fatal(err)
		}
		s.work(t)
		s.backend.await(t, "a", "READY")
		s.settled(t, "a")
	})
}

// A task that comes again after its success runs nothing and delivers nothing.
func TestWorkerRunsATaskThatComesTwiceOnce(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		ran := make(chan provision.Store, 10)
		s.work(t, runHandler(&fails{quick(), func(_ provision.Op, s provision.Store) bool { ran <- s; return false }, nil}))
		accepted := s.accept(t, shop("a"))
		s.backend.await(t, "a", "READY")
		s.settled(t, "a")
		task := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: accepted.Generation, Cluster: provision.DefaultCluster}
		eventually(t, "the task is completed", func() bool {
			return s.redis.HGet(t.Context(), "asynq:{provision}:t:"+accepted.TaskID, "state").Val() == "completed"
		})
		if err := s.tasks.Revive(t.Context(), task, false); err != nil { // deletes the completed one and puts it in again
			t.Fatal(err)
		}
		eventually(t, "the task is completed again", func() bool {
			return s.redis.HGet(t.Context(), "asynq:{provision}:t:"+accepted.TaskID, "state").Val() == "completed"
		})
		s.backend.await(t, "a", "READY")
		if len(ran) != 1 {
			t.Errorf("it ran %d times", len(ran))
		}
	})
}

func TestWorkerDeliversUnderOneIDToABackendThatWasAway(t *testing.T) {
	t.Parallel()
	s := newService(t, redistest.Real(t))
	s.backend.answer = func(n int) int {
		if n <= 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	s.work(t)
	s.accept(t, shop("a"))
	calls := s.backend.await(t, "a", "READY", "READY", "READY")
	if calls[0] != calls[1] || calls[1] != calls[2] {
		t.Errorf("delivered %+v", calls)
	}
	if state := s.settled(t, "a"); state.Attempts != 0 {
		t.Errorf("%d attempts of the run", state.Attempts)
	}
}

// A callback that the backend refuses for good does not hold up the next one.
func TestWorkerDeliversAfterARefusedCallback(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.backend.answer = func(n int) int {
			if n == 1 {
				return http.StatusUnprocessableEntity
			}
			return http.StatusOK
		}
		s.work(t)
		s.accept(t, shop("a"))
		s.backend.await(t, "a", "READY")
		s.settled(t, "a")
		s.accept(t, remove("a"))
		s.backend.await(t, "a", "READY", "DELETED")
		s.settled(t, "a")
		if n := s.redis.HLen(t.Context(), "{orch}:dead-letters").Val(); n != 1 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// An operator repairs the backend and replays the dead letter: it arrives under the same id.
func TestWorkerReplaysADeadLetterUnderTheSameID(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.backend.answer = func(n int) int {
			if n == 1 {
				return http.StatusBadRequest
			}
			return http.StatusOK
		}
		s.work(t)
		s.accept(t, shop("a"))
		refused := s.backend.await(t, "a", "READY")[0]
		s.settled(t, "a")
		page, err := s.Callbacks.DeadLetters(t.Context(), "", 10)
		if err != nil || len(page.DeadLetters) != 1 || page.DeadLetters[0].ID != refused.id || !strings.HasPrefix(page.DeadLetters[0].Reason, "400 ") {
			t.Fatalf("dead letters %+v: %v", page, err)
		}
		if outcome, err := s.intake.Replay(t.Context(), refused.id); err != nil || outcome != provision.ReplayQueued {
			t.Fatal(outcome, err)
		}
		calls := s.backend.await(t, "a", "READY", "READY")
		if calls[0] != calls[1] {
			t.Errorf("delivered %+v", calls)
		}
		s.settled(t, "a")
		if page, err = s.Callbacks.DeadLetters(t.Context(), "", 10); err != nil || len(page.DeadLetters) != 0 {
			t.Errorf("dead letters %+v: %v", page, err)
		}
	})
}

// Redis goes away in the middle of a run and comes back: the run ends where it is, and its outcome is delivered once.
func TestWorkerSurvivesARestartOfRedisDuringARun(t *testing.T) {
	t.Parallel()
	server := redistest.Durable(t)
	s := newService(t, server.URL)
	h := hold(once())
	s.work(t, runHandler(h))
	s.accept(t, shop("a"))
	receive(t, h.started, "the run begins")
	server.Kill()
	close(h.letGo)
	server.Start()
	s.backend.await(t, "a", "READY")
	if state := s.settled(t, "a"); state.Crashes != 0 || state.Attempts != 0 {
		t.Errorf("%d attempts, %d crashes", state.Attempts, state.Crashes)
	}
}

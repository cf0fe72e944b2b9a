package worker_test

import (
	"fmt"
	"testing"
	"time"

	"orchestrator/worker"
)

// TestAnIdleWorkerIsWokenByWhatThereIsToDo: it polls so rarely that only messages can make it begin.
func TestAnIdleWorkerIsWokenByWhatThereIsToDo(t *testing.T) {
	each(t, func(t *testing.T, s *service) {
		s.work(t, func(c *worker.Config) { c.Poll = time.Hour })
		eventually(t, "the worker listens", func() bool {
			return s.redis.PubSubNumSub(t.Context(), "{orch}:newest").Val()["{orch}:newest"] > 0
		})
		for i := range 5 {
			id := fmt.Sprint("s", i)
			s.accept(t, shop(id))
			s.backend.await(t, id, "READY")
			s.accept(t, remove(id))
			s.backend.await(t, id, "READY", "DELETED")
		}
	})
}

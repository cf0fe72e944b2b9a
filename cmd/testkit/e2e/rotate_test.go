//go:build devcluster

package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"orchestrator/ingest/client"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// An owner is locked out, or a password was seen: the running shop gets another one, which READY tells, once for each request, whatever happens to the
// worker and to Redis in between.
func TestAStoreGetsAnotherPassword(t *testing.T) {
	t.Parallel()
	for _, name := range engine.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, s := newRig(t), newWorld(t), store(t, name)
			worker := r.start("worker")
			r.submit(s)
			first := r.awaitStatus(s.StoreID, provision.StatusReady, 1)

			if text := r.cli("rotate", s.StoreID, "--watch"); !strings.Contains(text, provision.StepRotate) {
				t.Errorf("rotate prints %q", text)
			}
			second := r.awaitStatus(s.StoreID, provision.StatusReady, 2)
			if second.Password == first.Password || second.Password == "" {
				t.Errorf("READY tells a password of %d characters; it is another one: %t", len(second.Password), second.Password != first.Password)
			}
			r.submit(s)
			if again := r.awaitStatus(s.StoreID, provision.StatusReady, 3); again.Password != second.Password {
				t.Error("the next request has changed the password again")
			}

			if _, err := r.ask(s.StoreID, client.Rotate); err != nil {
				t.Fatalf("rotate: %v", err)
			}
			generation := r.state(s.StoreID).Generation
			r.eventually("the rotation has begun", soonEnough, func() bool {
				return slices.ContainsFunc(r.state(s.StoreID).Steps, func(step provision.Step) bool {
					return step.Generation == generation && step.Name == provision.StepRotate
				})
			})
			worker.end(syscall.SIGKILL)
			drawn := string(w.credentials(s).Data[provision.AdminPassword+provision.NextSuffix])
			r.loseRedis()
			r.start("worker")
			third := r.awaitStatus(s.StoreID, provision.StatusReady, 4)
			if third.Password == second.Password || drawn != "" && third.Password != drawn {
				t.Errorf("after a crash and a loss of Redis READY tells the old password: %t", third.Password == second.Password)
			}
			if secret := w.credentials(s); string(secret.Data[provision.AdminPassword]) != third.Password || len(secret.Data[provision.AdminPassword+provision.NextSuffix]) > 0 {
				t.Error("the Secret has another password than READY told, or still a next one")
			}

			r.cli("suspend", s.StoreID, "--watch")
			if _, err := r.ask(s.StoreID, client.Rotate); !refused(err, client.KindConflict, "resume it first") {
				t.Errorf("rotate of a suspended store: %v", err)
			}
			r.remove(s.StoreID)
		})
	}
}

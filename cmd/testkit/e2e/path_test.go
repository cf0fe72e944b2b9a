//go:build devcluster

package e2e

import (
	"syscall"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// The whole life of a store of each engine: READY with the Secret's password, the same request changes nothing, another
// one is an upgrade, DELETED leaves nothing.
func TestLifeOfAStore(t *testing.T) {
	t.Parallel()
	for _, name := range engine.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, s := newRig(t), newWorld(t), store(t, name)
			r.start("worker")

			r.submit(s)
			ready := r.awaitStatus(s.StoreID, provision.StatusReady, 1)
			if ready.URL != s.StoreURL || ready.Password == "" || ready.Password != string(w.credentials(s).Data[provision.AdminPassword]) {
				t.Errorf("READY carries url %q and a password of %d characters, not the Secret's", ready.URL, len(ready.Password))
			}
			first := w.revisions(s)

			r.submit(s)
			again := r.awaitStatus(s.StoreID, provision.StatusReady, 2)
			if again.Password != ready.Password || again.ID == ready.ID {
				t.Errorf("the same request got the callback %s, with the same password: %t; want a callback of its own, and the password kept", again.ID, again.Password == ready.Password)
			}
			if now := w.revisions(s); len(first) != 1 || len(now) != 1 || now[0].ResourceVersion != first[0].ResourceVersion {
				t.Errorf("the same request changed the release: %d revisions, then %d", len(first), len(now))
			}

			s.Settings.Title = `A "new" title`
			r.submit(s)
			changed := r.awaitStatus(s.StoreID, provision.StatusReady, 3)
			if n := len(w.revisions(s)); n != 2 || changed.Password != ready.Password {
				t.Errorf("a change of settings made %d revisions, and kept the password: %t; want one more revision", n, changed.Password == ready.Password)
			}

			r.remove(s.StoreID)
			if !w.gone(s.Namespace) {
				t.Error("DELETED was delivered and the namespace is still there")
			}
		})
	}
}

// A worker that is killed in any step is followed by another one: READY, one deployed revision of one
// release, one password, one terminal callback. Helm leaves a revision of its own behind where it was cut off.
func TestWorkerKilledInEachStep(t *testing.T) {
	t.Parallel()
	for _, step := range []string{provision.StepNamespace, provision.StepCredentials, provision.StepRelease, provision.StepReady, provision.StepVerify} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			r, w, s := newRig(t), newWorld(t), store(t, "woocommerce")
			victim := r.start("worker")
			generation := r.submit(s)
			r.eventually("step "+step+" begins", soonEnough, func() bool { return r.began(s.StoreID, step) })
			victim.end(syscall.SIGKILL)
			t.Logf("killed after %d callbacks", len(r.backend.of(s.StoreID)))

			r.start("worker")
			ready := r.awaitStatus(s.StoreID, provision.StatusReady, 1)
			r.eventually("all callbacks are delivered", soonEnough, func() bool { return r.state(s.StoreID).PendingCallbacks == 0 })
			if n := w.deployed(s); n != 1 {
				t.Errorf("%d deployed revisions of the release, want 1", n)
			}
			if ready.Password != string(w.credentials(s).Data[provision.AdminPassword]) {
				t.Error("READY does not carry the password of the Secret")
			}
			ids := map[string]bool{}
			for _, c := range r.backend.of(s.StoreID) {
				ids[c.ID] = true
			}
			if len(ids) != 1 {
				t.Errorf("terminal callbacks under the ids %v, want one", ids)
			}
			if got := r.state(s.StoreID); got.Generation != generation || got.Status != provision.StatusReady {
				t.Errorf("the store is %s in generation %d, want READY in %d", got.Status, got.Generation, generation)
			}
			r.remove(s.StoreID)
		})
	}
}

// SIGTERM in the middle of a provision: the worker lets go within its grace period, nothing is counted, another goes on.
func TestWorkerStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	r, s := newRig(t), store(t, "medusa")
	first := r.start("worker")
	r.submit(s)
	r.eventually("the release is being applied", soonEnough, func() bool { return r.began(s.StoreID, provision.StepRelease) })
	begun := time.Now()
	first.end(syscall.SIGTERM)
	t.Logf("stopped within %s", time.Since(begun))

	r.start("worker")
	r.awaitStatus(s.StoreID, provision.StatusReady, 1)
	if got := r.state(s.StoreID); got.Attempts != 0 || got.Crashes != 0 {
		t.Errorf("a stop was counted: %d attempts, %d crashes", got.Attempts, got.Crashes)
	}
	r.remove(s.StoreID)
}

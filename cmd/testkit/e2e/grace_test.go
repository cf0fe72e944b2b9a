//go:build devcluster

package e2e

import (
	"os"
	"testing"
	"time"

	"orchestrator/provision"
)

// A store in grace is stopped, kept by a resume, and deleted when its time has come, although Redis has lost everything meanwhile.
func TestAStoreIsDeletedAfterItsGrace(t *testing.T) {
	t.Parallel()
	r, w, s := newRig(t), newWorld(t), store(t, "woocommerce")
	r.patience *= 2
	r.start("worker")
	r.submit(s)
	ready := r.awaitStatus(s.StoreID, provision.StatusReady, 1)

	r.cli("delete", s.StoreID, "--grace", "24h")
	r.awaitStatus(s.StoreID, provision.StatusSuspended, 1)
	if until := time.Until(r.state(s.StoreID).DeleteAt); until < 23*time.Hour || until > 24*time.Hour {
		t.Errorf("it is to be deleted in %s", until)
	}
	r.cli("resume", s.StoreID)
	if kept := r.awaitStatus(s.StoreID, provision.StatusReady, 2); kept.Password != ready.Password || !r.state(s.StoreID).DeleteAt.IsZero() {
		t.Errorf("it is kept with another password, or to be deleted at %s", r.state(s.StoreID).DeleteAt)
	}

	if os.Getenv("ORCH_TEST_LONG") == "" {
		return // the rest waits for a minute: make test-long
	}
	r.cli("delete", s.StoreID, "--grace", "1m")
	r.awaitStatus(s.StoreID, provision.StatusSuspended, 2)
	due := r.state(s.StoreID).DeleteAt
	r.loseRedis()
	r.awaitStatus(s.StoreID, provision.StatusDeleted, 1)
	if time.Now().Before(due) || !w.gone(s.Namespace) {
		t.Errorf("it was deleted before %s, or not at all", due)
	}
}

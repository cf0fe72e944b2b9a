//go:build devcluster

package e2e

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// Two installations in one cluster, each with a Redis and a backend of its own, know a store of the same id: as staging does on a
// copy of production's database. Neither touches the other's, whatever is requested and whichever Redis loses its data.
func TestTwoInstallationsShareACluster(t *testing.T) {
	t.Parallel()
	w, shop := newWorld(t), store(t, "woocommerce")
	production, staging := newRig(t), newRig(t)
	production.start("worker")
	production.submit(shop)
	ready := production.awaitStatus(shop.StoreID, provision.StatusReady, 1)
	production.eventually("the cluster records that READY was delivered", soonEnough, func() bool { return w.delivered(shop) })
	before := w.namespace(shop)

	staging.start("worker")
	copied := shop
	copied.Host, copied.StoreURL = "staging-"+shop.Host, "https://staging-"+shop.Host
	staging.submit(copied)
	failed := staging.awaitOutcome(shop.StoreID, provision.StatusFailed)
	if !strings.Contains(failed.Error, "worker adopt") {
		t.Errorf("staging's callback is %+v", failed)
	}
	staging.loseRedis()
	if err := staging.deleteWhenComplete(shop.StoreID); err != nil {
		t.Fatalf("staging: DELETE: %v", err)
	}
	staging.awaitOutcome(shop.StoreID, provision.StatusDeleted)
	production.loseRedis()
	production.eventually("production's record is back", soonEnough, func() bool {
		status, _ := production.call(http.MethodGet, "/stores/"+shop.StoreID, nil)
		return status == http.StatusOK && production.state(shop.StoreID).Status == provision.StatusReady
	})
	if now := w.namespace(shop); now != before {
		t.Errorf("the namespace was %s and is %s", before, now)
	}
	if n := len(production.backend.of(shop.StoreID)); n != 1 {
		t.Errorf("production's backend got %d callbacks, want 1", n)
	}
	production.submit(shop)
	if again := production.awaitStatus(shop.StoreID, provision.StatusReady, 2); again.Password != ready.Password {
		t.Error("the password changed")
	}
	production.remove(shop.StoreID)
}

// A name that was generated in Redis is lost with it. Nothing is taken over until an operator says so.
func TestAGeneratedInstallationIsAdopted(t *testing.T) {
	t.Parallel()
	w, shop := newWorld(t), store(t, "woocommerce")
	r := newRig(t, "ORCH_INSTALLATION=")
	worker := r.start("worker")
	r.submit(shop)
	r.awaitStatus(shop.StoreID, provision.StatusReady, 1)
	r.eventually("the cluster records that READY was delivered", soonEnough, func() bool { return w.delivered(shop) })
	ns, err := w.k.CoreV1().Namespaces().Get(t.Context(), shop.Namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lost := ns.Labels["orchestrator/installation"]
	r.loseRedis()
	other := store(t, "woocommerce")
	r.submit(other) // once it is accepted, the records are complete
	if _, err := r.client.Store(t.Context(), shop.StoreID); !client.IsNotFound(err) {
		t.Errorf("before it is adopted, the store is known: %v", err)
	}
	if text := r.adopt("--from", lost); !strings.Contains(text, shop.StoreID) || !strings.Contains(text, "1 stores would be taken over") {
		t.Errorf("adopt without --yes prints %q", text)
	}
	if text := r.adopt("--from", lost, "--store", shop.StoreID, "--yes"); !strings.Contains(text, "1 stores were taken over") {
		t.Errorf("adopt prints %q", text)
	}
	worker.end(syscall.SIGTERM)
	r.start("worker") // a worker reconciles when it starts
	r.eventually("the store is on record", soonEnough, func() bool {
		_, err := r.client.Store(t.Context(), shop.StoreID)
		return err == nil
	})
	r.remove(shop.StoreID)
	r.remove(other.StoreID)
}

// adopt runs the worker's command and returns what it prints.
func (r *rig) adopt(args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(context.Background(), filepath.Join(must(r.t, "ORCH_TEST_BIN"), "worker"), append([]string{"adopt"}, args...)...)
	command.Env = slices.Clone(r.env)
	text, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("adopt: %v: %s", err, text)
	}
	return string(text)
}

// awaitOutcome returns the callback with the status, which may be a failure.
func (r *rig) awaitOutcome(store string, status provision.Status) callback {
	r.t.Helper()
	var found callback
	r.eventually(string(status)+" is delivered for "+store, r.patience, func() bool {
		i := slices.IndexFunc(r.backend.of(store), func(c callback) bool { return c.Status == status })
		if i >= 0 {
			found = r.backend.of(store)[i]
		}
		return i >= 0
	})
	return found
}

// deleteWhenComplete deletes a store as soon as the records are complete.
func (r *rig) deleteWhenComplete(id string) (err error) {
	r.t.Helper()
	r.eventually("the delete is answered", soonEnough, func() bool {
		_, err = r.client.Delete(context.Background(), id, 0, client.Deletion{})
		return !client.IsTemporary(err)
	})
	return err
}

// namespace is the identity and content of the store's namespace, as its annotations say them.
func (w world) namespace(s provision.Request) string {
	w.t.Helper()
	ns, err := w.k.CoreV1().Namespaces().Get(context.Background(), s.Namespace, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(ns.UID) + " " + ns.ResourceVersion
}

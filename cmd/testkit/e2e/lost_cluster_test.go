//go:build devcluster

package e2e

import (
	"syscall"
	"testing"
	"time"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// A cluster goes away for good, with the only worker that serves it: its stores are told FAILED, its deletes DELETED, and the same
// requests are READY on the other cluster. The two clusters are one API server, to which only one of them has a way left.
func TestAClusterIsGivenUp(t *testing.T) {
	t.Parallel()
	given := must(t, "ORCH_TEST_KUBECONFIG")
	r := newRig(t, "ORCH_CLUSTERS=eu="+given+",us="+given, "ORCH_PLACEMENT=engine=woocommerce:eu|us")
	eu := r.start("worker", "ORCH_CLUSTERS=eu="+given)
	r.start("worker", "ORCH_CLUSTERS=us="+given)
	ready, deleted := r.submitOn("eu", 2), r.submitOn("eu", 1)
	for _, s := range append(ready, deleted...) {
		r.awaitStatus(s.StoreID, provision.StatusReady, 1)
	}
	eu.end(syscall.SIGKILL)
	underway := r.submitOn("eu", 1)
	if _, err := r.client.Delete(t.Context(), deleted[0].StoreID, 0, client.Deletion{}); err != nil {
		t.Fatalf("DELETE: %v", err)
	}

	start := time.Now()
	if text := r.cli("clusters", "lose", "eu", "--yes"); text == "" {
		t.Error("nothing is printed")
	}
	r.awaitOutcome(deleted[0].StoreID, provision.StatusDeleted)
	for _, s := range append(ready, underway...) {
		if failed := r.awaitOutcome(s.StoreID, provision.StatusFailed); failed.Error == "" {
			t.Error("FAILED without an error")
		}
	}
	t.Logf("all were told after %s", time.Since(start).Round(time.Millisecond))
	for _, s := range append(ready, underway...) {
		// A namespace of its own: the other one is on the same API server in this test.
		s.Cluster, s.Name, s.Namespace = "", s.Name+"-b", s.Namespace+"-b"
		r.submit(s)
		r.eventually("READY is delivered for "+s.StoreID, soonEnough, func() bool {
			state := r.state(s.StoreID)
			return state.Status == provision.StatusReady && state.Cluster == "us"
		})
	}
}

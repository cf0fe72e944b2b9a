//go:build devcluster

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// A store that fits on no node is FAILED, and READY by itself once there is one, with the next sequence.
func TestAFailedStoreHeals(t *testing.T) {
	long(t) // it waits for two minutes
	t.Parallel()
	label := "e2e/" + store(t, "medusa").StoreID
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(fmt.Sprintf("common:\n  scheduling:\n    nodeSelector: {%q: \"yes\"}\n", label)), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, s := newRig(t, "STORE_VALUES_FILE="+values, "ORCH_HEAL_FAILED=1h", "ORCH_POLL_ATTEMPTS=1", "ORCH_POLL_INTERVAL=5s"), newWorld(t), store(t, "woocommerce")
	r.start("worker")
	r.submit(s)
	told := func(n int, status provision.Status) callback {
		t.Helper()
		r.eventually(string(status)+" is told", 4*time.Minute, func() bool { return len(r.backend.of(s.StoreID)) >= n })
		last := r.backend.of(s.StoreID)[n-1]
		if last.Status != status {
			t.Fatalf("callback %d is %s", n, last.Status)
		}
		return last
	}
	failed := told(1, provision.StatusFailed)
	nodes, err := w.k.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	node := nodes.Items[0].Name
	set := func(value string) {
		if _, err := w.k.CoreV1().Nodes().Patch(context.Background(), node, types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:%s}}}`, label, value), metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}
	set(`"yes"`)
	defer set("null")
	ready := told(2, provision.StatusReady)
	// generation.sequence.store
	before, after := strings.SplitN(failed.ID, ".", 3), strings.SplitN(ready.ID, ".", 3)
	if n := len(r.backend.of(s.StoreID)); n != 2 || before[0] != after[0] || before[1] != "1" || after[1] != "2" || ready.Password == "" {
		t.Errorf("told %d times: %s, then %s", n, failed.ID, ready.ID)
	}
}

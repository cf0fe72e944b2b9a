//go:build devcluster

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// What was changed from outside is listed without a change, is mended by audits that are told to, and the backend hears of neither.
func TestAuditsFindAndMendWhatWasChanged(t *testing.T) {
	t.Parallel()
	r, w, s := newRig(t, "ORCH_AUDIT_EVERY=1s", "ORCH_AUDIT_RATE=100"), newWorld(t), store(t, "woocommerce")
	reports := r.start("worker")
	r.submit(s)
	r.awaitStatus(s.StoreID, provision.StatusReady, 1)
	deployments := w.k.AppsV1().Deployments(s.Namespace)
	if _, err := deployments.Patch(context.Background(), s.Name, types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{FieldManager: "kubectl-scale"}); err != nil {
		t.Fatal(err)
	}
	replicas := func() int32 {
		t.Helper()
		d, err := deployments.Get(context.Background(), s.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return *d.Spec.Replicas
	}
	r.eventually("the audit finds it", soonEnough, func() bool {
		var found map[provision.FindingKind][]provision.State
		if err := json.Unmarshal([]byte(r.cli("findings", "-o", "json")), &found); err != nil {
			t.Fatal(err)
		}
		return len(found[provision.FindingDrifted]) == 1 && found[provision.FindingDrifted][0].Drift[0].Manager == "kubectl-scale"
	})
	if replicas() != 0 {
		t.Error("a report has changed the store")
	}
	if text := r.cli("show", s.StoreID); !strings.Contains(text, "spec.replicas (by kubectl-scale)") {
		t.Errorf("show prints %q", text)
	}
	reports.end(syscall.SIGTERM)
	r.start("worker", "ORCH_DRIFT=repair")
	r.eventually("the audit mends it", soonEnough, func() bool { return replicas() == 1 })
	r.eventually("it is listed no more", soonEnough, func() bool { return strings.Contains(r.cli("findings"), "nothing") })
	if n := len(r.backend.of(s.StoreID)); n != 1 {
		t.Errorf("the backend was told %d times", n)
	}
}

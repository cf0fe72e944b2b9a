//go:build devcluster

package e2e

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/ingest/client"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// podsIn counts the pods that have not ended.
func (w world) podsIn(namespace string) int {
	w.t.Helper()
	list, err := w.k.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{FieldSelector: "status.phase!=Succeeded"})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list.Items)
}

// bound are the volumes of a store by the names of its claims.
func (w world) bound(namespace string) map[string]string {
	w.t.Helper()
	list, err := w.k.CoreV1().PersistentVolumeClaims(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	volumes := map[string]string{}
	for _, claim := range list.Items {
		if claim.Status.Phase == corev1.ClaimBound {
			volumes[claim.Name] = claim.Spec.VolumeName
		}
	}
	return volumes
}

// A shop whose owner does not pay is stopped, stays stopped whatever else is requested and though Redis loses its data, and comes back with its data and
// its password.
func TestASuspendedStoreStopsAndComesBack(t *testing.T) {
	t.Parallel()
	for _, name := range engine.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, s := newRig(t), newWorld(t), store(t, name)
			r.start("worker")
			r.submit(s)
			ready := r.awaitStatus(s.StoreID, provision.StatusReady, 1)
			volumes := w.bound(s.Namespace)
			helm{t, s}.run("test", s.Name, "--timeout", "1m") // leaves its pod

			if text := r.cli("suspend", s.StoreID, "--reason", "unpaid since March", "--watch"); !strings.Contains(text, "stopped") {
				t.Errorf("suspend prints %q", text)
			}
			if told := r.awaitStatus(s.StoreID, provision.StatusSuspended, 1); told.URL != "" || told.Password != "" {
				t.Errorf("SUSPENDED carries url %q and a password of %d characters", told.URL, len(told.Password))
			}
			if n := w.podsIn(s.Namespace); n != 0 {
				t.Errorf("%d pods run in a suspended store", n)
			}
			if text := r.cli("show", s.StoreID); !strings.Contains(text, "unpaid since March") {
				t.Errorf("show prints %q", text)
			}

			r.eventually("the cluster knows that SUSPENDED was delivered", soonEnough, func() bool {
				ns, err := w.k.CoreV1().Namespaces().Get(context.Background(), s.Namespace, metav1.GetOptions{})
				return err == nil && strings.HasSuffix(ns.Annotations["orchestrator/delivered"], string(provision.StatusSuspended))
			})
			r.loseRedis()
			s.Settings.Title = "While it is suspended"
			r.submit(s)
			r.awaitStatus(s.StoreID, provision.StatusSuspended, 2)
			if n := w.podsIn(s.Namespace); n != 0 || !r.state(s.StoreID).Suspended {
				t.Errorf("a change has started %d pods", n)
			}

			r.cli("resume", s.StoreID, "--watch")
			again := r.awaitStatus(s.StoreID, provision.StatusReady, 2)
			if again.Password != ready.Password || again.URL != ready.URL {
				t.Error("the shop came back with another url or password")
			}
			for claim, volume := range volumes {
				if now := w.bound(s.Namespace)[claim]; now != volume {
					t.Errorf("the data %s was in %s and is in %s", claim, volume, now)
				}
			}
			if _, err := r.ask(s.StoreID, client.Cancel); !refused(err, client.KindConflict, "") {
				t.Errorf("cancel of a store at rest: %v", err)
			}
			r.cli("protect", s.StoreID)
			if _, err := r.client.Delete(t.Context(), s.StoreID, 0, client.Deletion{}); !refused(err, client.KindConflict, "protected") {
				t.Errorf("DELETE of a protected store: %v", err)
			}
			r.cli("unprotect", s.StoreID)
			r.cli("suspend", s.StoreID, "--watch")
			r.remove(s.StoreID)
			if !w.gone(s.Namespace) {
				t.Error("DELETED was delivered and the namespace is still there")
			}
		})
	}
}

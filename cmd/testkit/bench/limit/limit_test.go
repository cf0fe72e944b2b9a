package limit

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// What is posted is what a worker installs: of each store its own, in an order in which pods find what they need.
func TestObjectsAreOfTheirStore(t *testing.T) {
	objects, err := manifests()
	if err != nil {
		t.Fatal(err)
	}
	kinds, workloads := []string{}, 0
	for _, o := range objects {
		made, err := o.of("s-1")
		if err != nil {
			t.Fatal(err)
		}
		text, err := made.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), placeholder) || made.GetNamespace() != "" && made.GetNamespace() != "store-s-1" {
			t.Errorf("%s %s is not of store s-1: %s", made.GetKind(), made.GetName(), text)
		}
		kinds = append(kinds, made.GetKind())
		if o.workload {
			workloads++
		}
	}
	all := strings.Join(kinds, " ")
	if workloads < 2 || strings.Index(all, "Deployment") < strings.Index(all, "ConfigMap") {
		t.Errorf("%d workloads in %s", workloads, all)
	}
}

func TestAStoreIsReadyWithTheLastOfItsWorkloads(t *testing.T) {
	left := newTracker(2)
	left.expect("a")
	left.expect("b")
	for i, c := range []struct {
		w    workload
		done bool
	}{
		{workload{"a", "Deployment", "shop"}, false},
		{workload{"a", "Deployment", "shop"}, false}, // again
		{workload{"b", "Deployment", "shop"}, false},
		{workload{"other", "StatefulSet", "shop"}, false},
		{workload{"a", "StatefulSet", "shop"}, true},
		{workload{"a", "StatefulSet", "shop"}, false},
		{workload{"b", "StatefulSet", "shop"}, true},
	} {
		if got := left.seen(c.w); got != c.done {
			t.Errorf("%d: after %v the store is ready: %t", i, c.w, got)
		}
	}
}

func TestReadyIsWhatTheControllerSaysOfTheNewestSpecification(t *testing.T) {
	deployment := func(replicas *int32, ready int32, generation, observed int64) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: generation}, Spec: appsv1.DeploymentSpec{Replicas: replicas},
			Status: appsv1.DeploymentStatus{ReadyReplicas: ready, ObservedGeneration: observed}}
	}
	for name, c := range map[string]struct {
		d     *appsv1.Deployment
		ready bool
	}{
		"ready":               {deployment(ptr.To[int32](1), 1, 2, 2), true},
		"no pod is":           {deployment(ptr.To[int32](1), 0, 2, 2), false},
		"an older one is":     {deployment(ptr.To[int32](1), 1, 2, 1), false},
		"not yet with a size": {deployment(nil, 0, 1, 1), false},
	} {
		if _, ready := readyWorkload(c.d); ready != c.ready {
			t.Errorf("%s: ready %t", name, ready)
		}
	}
	if _, ready := readyWorkload(&appsv1.ReplicaSet{}); ready {
		t.Error("a ReplicaSet is taken for a workload of the chart")
	}
}

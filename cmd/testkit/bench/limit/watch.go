package limit

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	k8swatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// workload names a Deployment or a StatefulSet.
type workload struct{ namespace, kind, name string }

// watch reports workloads whose pods are ready, each as often as the API server says so, until a watch or ctx ends.
func watch(ctx context.Context, api kubernetes.Interface) (<-chan workload, error) {
	deployments, err := api.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("watch deployments: %w", err)
	}
	sets, err := api.AppsV1().StatefulSets("").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		deployments.Stop()
		return nil, fmt.Errorf("watch stateful sets: %w", err)
	}
	ready := make(chan workload, 1024)
	go func() {
		defer close(ready)
		defer deployments.Stop()
		defer sets.Stop()
		forward(ctx, deployments.ResultChan(), sets.ResultChan(), ready)
	}()
	return ready, nil
}

func forward(ctx context.Context, deployments, sets <-chan k8swatch.Event, ready chan<- workload) {
	for {
		var event k8swatch.Event
		var open bool
		select {
		case event, open = <-deployments:
		case event, open = <-sets:
		case <-ctx.Done():
		}
		if !open {
			return
		}
		if w, ok := readyWorkload(event.Object); ok {
			ready <- w
		}
	}
}

// readyWorkload reports a workload all of whose pods are ready, as its controller says of its newest specification.
func readyWorkload(o runtime.Object) (workload, bool) {
	switch w := o.(type) {
	case *appsv1.Deployment:
		return workload{w.Namespace, "Deployment", w.Name}, w.Spec.Replicas != nil && w.Status.ReadyReplicas == *w.Spec.Replicas && w.Status.ObservedGeneration >= w.Generation
	case *appsv1.StatefulSet:
		return workload{w.Namespace, "StatefulSet", w.Name}, w.Spec.Replicas != nil && w.Status.ReadyReplicas == *w.Spec.Replicas && w.Status.ObservedGeneration >= w.Generation
	}
	return workload{}, false
}

// tracker knows which workloads of which namespaces are ready.
type tracker struct {
	count int // of the workloads of a namespace
	ready map[string]map[workload]bool
}

func newTracker(count int) tracker { return tracker{count, map[string]map[workload]bool{}} }

// expect has the tracker look at a namespace; others are none of its business.
func (t tracker) expect(namespace string) { t.ready[namespace] = map[workload]bool{} }

// seen reports whether the last one of a namespace has become ready with this. It does so once for each namespace.
func (t tracker) seen(w workload) bool {
	ready, expected := t.ready[w.namespace]
	if !expected || ready[w] {
		return false
	}
	ready[w] = true
	return len(ready) == t.count
}

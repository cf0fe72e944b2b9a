package readiness

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// liveView returns a view from the API server instead of the caches. It costs five requests and is for final outcomes only.
func (w *Watcher) liveView(ctx context.Context, s provision.Store) (view, error) {
	core, store := w.client.CoreV1(), metav1.ListOptions{LabelSelector: storeSelector(s).String()}
	refused := metav1.ListOptions{FieldSelector: fields.SelectorFromSet(fields.Set{"reason": reasonFailedCreate}).String()}
	v, err := w.liveWorkloads(ctx, s)
	if err != nil {
		return v, err
	}
	replicaSets, err := w.client.AppsV1().ReplicaSets(s.Namespace).List(ctx, store)
	if err != nil {
		return v, kube.WrapError(err, "list the replicasets in namespace %s", s.Namespace)
	}
	pods, err := core.Pods(s.Namespace).List(ctx, store)
	if err != nil {
		return v, kube.WrapError(err, "list the pods in namespace %s", s.Namespace)
	}
	events, err := core.Events(s.Namespace).List(ctx, refused)
	if err != nil {
		return v, kube.WrapError(err, "list the events in namespace %s", s.Namespace)
	}
	v.replicaSets, v.pods, v.events = pointers(replicaSets.Items), pointers(pods.Items), pointers(events.Items)
	return v, nil
}

// liveWorkloads returns the part of liveView that holds the store's workloads.
func (w *Watcher) liveWorkloads(ctx context.Context, s provision.Store) (view, error) {
	apps, store := w.client.AppsV1(), metav1.ListOptions{LabelSelector: storeSelector(s).String()}
	deployments, err := apps.Deployments(s.Namespace).List(ctx, store)
	if err != nil {
		return view{}, kube.WrapError(err, "list the deployments in namespace %s", s.Namespace)
	}
	statefulSets, err := apps.StatefulSets(s.Namespace).List(ctx, store)
	if err != nil {
		return view{}, kube.WrapError(err, "list the statefulsets in namespace %s", s.Namespace)
	}
	return view{deployments: pointers(deployments.Items), statefulSets: pointers(statefulSets.Items)}, nil
}

func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}

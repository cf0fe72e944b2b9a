package cluster

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"orchestrator/provision"
)

// liveView is a view as the API server itself shows it now. It costs five requests and is for last words only.
func (c *Cluster) liveView(ctx context.Context, s provision.Store) (view, error) {
	apps, core := c.client.AppsV1(), c.client.CoreV1()
	store := metav1.ListOptions{LabelSelector: storeSelector(s).String()}
	refused := metav1.ListOptions{FieldSelector: fields.SelectorFromSet(fields.Set{"reason": reasonFailedCreate}).String()}
	var v view
	deployments, err := apps.Deployments(s.Namespace).List(ctx, store)
	if err != nil {
		return v, failure(err, "list the deployments in namespace %s", s.Namespace)
	}
	statefulSets, err := apps.StatefulSets(s.Namespace).List(ctx, store)
	if err != nil {
		return v, failure(err, "list the statefulsets in namespace %s", s.Namespace)
	}
	replicaSets, err := apps.ReplicaSets(s.Namespace).List(ctx, store)
	if err != nil {
		return v, failure(err, "list the replicasets in namespace %s", s.Namespace)
	}
	pods, err := core.Pods(s.Namespace).List(ctx, store)
	if err != nil {
		return v, failure(err, "list the pods in namespace %s", s.Namespace)
	}
	events, err := core.Events(s.Namespace).List(ctx, refused)
	if err != nil {
		return v, failure(err, "list the events in namespace %s", s.Namespace)
	}
	v.deployments, v.statefulSets, v.replicaSets = pointers(deployments.Items), pointers(statefulSets.Items), pointers(replicaSets.Items)
	v.pods, v.events = pointers(pods.Items), pointers(events.Items)
	return v, nil
}

func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}

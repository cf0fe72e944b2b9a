package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"orchestrator/provision"
)

// Volumes implements [provision.Volumes]. Helm leaves the claims of a StatefulSet where they are.
type Volumes struct{ c *Cluster }

// Volumes is the cluster's [provision.Volumes].
func (c *Cluster) Volumes() *Volumes { return &Volumes{c} }

// Detach implements [provision.Volumes]. The release has to be removed before: pods that nobody deletes stay.
func (v *Volumes) Detach(ctx context.Context, s provision.Store) error {
	if _, err := v.c.ownNamespace(ctx, s); err != nil {
		return unlessGone(err)
	}
	pods := v.c.client.CoreV1().Pods(s.Namespace)
	lw := &cache.ListWatch{
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return pods.List(ctx, o) },
		WatchFuncWithContext: pods.Watch,
	}
	err := waitGone(ctx, lw, &corev1.Pod{})
	if err == nil {
		return nil
	}
	return overdue(ctx, err, "what ran in namespace "+s.Namespace,
		func(ctx context.Context) []string { return v.c.podHolders(ctx, s.Namespace) })
}

// Remove implements [provision.Volumes]. It takes every claim of the namespace, labelled or not: the namespace is the
// store's alone. A claim that a pod still uses goes when the pod has gone, so the release has to be removed before.
func (v *Volumes) Remove(ctx context.Context, s provision.Store) error {
	ns, err := v.c.ownNamespace(ctx, s)
	if err != nil {
		return unlessGone(err)
	}
	if ns.DeletionTimestamp != nil {
		return nil // they are going with it, and so are our rights to look at them
	}
	claims := v.c.client.CoreV1().PersistentVolumeClaims(s.Namespace)
	list, err := claims.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil || len(list.Items) == 0 {
		return failure(err, "list the volume claims in namespace %s", s.Namespace)
	}
	err = v.c.write(ctx, func() error {
		return claims.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	})
	if err != nil {
		return failure(err, "delete the volume claims in namespace %s", s.Namespace)
	}
	lw := &cache.ListWatch{
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return claims.List(ctx, o) },
		WatchFuncWithContext: claims.Watch,
	}
	if err = waitGone(ctx, lw, &corev1.PersistentVolumeClaim{}); err == nil {
		return nil
	}
	return overdue(ctx, err, "the volumes in namespace "+s.Namespace,
		func(ctx context.Context) []string { return v.c.claimHolders(ctx, s.Namespace) })
}

package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"orchestrator/provision"
	"orchestrator/provision/cluster/job"
	"orchestrator/provision/cluster/kube"
)

// Volumes implements [provision.Volumes]. Helm does not delete the claims of a StatefulSet.
type Volumes struct {
	api   *kube.Client
	owner ownership
}

// Detach implements [provision.Volumes]. The release must have been removed before, or its pods scaled to none, else they stay.
func (v *Volumes) Detach(ctx context.Context, s provision.Store) error {
	if _, err := v.owner.namespace(ctx, s); err != nil {
		return kube.IgnoreNotFound(err)
	}
	if err := job.End(ctx, v.api, s.Namespace); err != nil {
		return err
	}
	pods := v.api.Clientset.CoreV1().Pods(s.Namespace)
	lw := &cache.ListWatch{
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return pods.List(ctx, o) },
		WatchFuncWithContext: pods.Watch,
	}
	err := waitDeleted(ctx, lw, &corev1.Pod{}, ended)
	if err == nil {
		return nil
	}
	return timeoutError(ctx, err, "the pods in namespace "+s.Namespace,
		func(ctx context.Context) []string { return podBlockers(ctx, v.api, s.Namespace) })
}

// Remove implements [provision.Volumes]. It deletes every claim in the namespace, labelled or not: the namespace belongs
// to the store alone. A claim stays until no pod uses it, so the release must have been removed before.
func (v *Volumes) Remove(ctx context.Context, s provision.Store) error {
	ns, err := v.owner.namespace(ctx, s)
	if err != nil {
		return kube.IgnoreNotFound(err)
	}
	if ns.DeletionTimestamp != nil {
		return nil // the claims are deleted with it, and so is the permission to list them
	}
	claims := v.api.Clientset.CoreV1().PersistentVolumeClaims(s.Namespace)
	list, err := claims.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil || len(list.Items) == 0 {
		return kube.WrapError(err, "list the volume claims in namespace %s", s.Namespace)
	}
	if err := job.End(ctx, v.api, s.Namespace); err != nil {
		return err
	}
	err = v.api.Write(ctx, func() error {
		return claims.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	})
	if err != nil {
		return kube.WrapError(err, "delete the volume claims in namespace %s", s.Namespace)
	}
	lw := &cache.ListWatch{
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return claims.List(ctx, o) },
		WatchFuncWithContext: claims.Watch,
	}
	if err = waitDeleted(ctx, lw, &corev1.PersistentVolumeClaim{}, none); err == nil {
		return nil
	}
	return timeoutError(ctx, err, "the volumes in namespace "+s.Namespace,
		func(ctx context.Context) []string { return claimBlockers(ctx, v.api, s.Namespace) })
}

package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// Remove implements [provision.Namespaces]. When ctx ends by its deadline, CodeTimeout names what blocks the deletion:
// finalizers of the namespace, or objects in it that wait for theirs.
func (n *Namespaces) Remove(ctx context.Context, s provision.Store) error {
	for range maxConflicts {
		ns, err := n.owner.namespace(ctx, s)
		if err != nil {
			return kube.IgnoreNotFound(err)
		}
		err = n.delete(ctx, ns)
		if apierrors.IsConflict(err) {
			continue // it was changed since it was read; its owner may have changed, too
		}
		if err != nil {
			return kube.WrapError(kube.IgnoreNotFound(err), "delete namespace %s", s.Namespace)
		}
		return n.waitDeleted(ctx, ns)
	}
	return provision.Errorf(provision.CodeUnavailable, "namespace %s was changed concurrently on every attempt", s.Namespace)
}

// delete deletes exactly the namespace that was read.
func (n *Namespaces) delete(ctx context.Context, ns *corev1.Namespace) error {
	if ns.DeletionTimestamp != nil {
		return nil
	}
	return n.api.Write(ctx, func() error {
		return n.api.Clientset.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion},
		})
	})
}

func (n *Namespaces) waitDeleted(ctx context.Context, ns *corev1.Namespace) error {
	namespaces := n.api.Clientset.CoreV1().Namespaces()
	lw := kube.Named(ns.Name, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return namespaces.List(ctx, o)
	}, namespaces.Watch)
	err := waitDeleted(ctx, lw, &corev1.Namespace{}, none)
	if err == nil {
		return nil
	}
	return timeoutError(ctx, err, "namespace "+ns.Name, func(ctx context.Context) []string { return namespaceBlockers(ctx, n.api, ns.Name) })
}

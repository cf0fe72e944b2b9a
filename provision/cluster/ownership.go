package cluster

import (
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// maxConflicts is how often a write that conflicts with another one is repeated before it is left to the next run.
const maxConflicts = 5

// ownership reads and writes a store's namespace only if it belongs to the store, and to this installation.
type ownership struct {
	api          *kube.Client
	installation Installation // nil: it has no name
}

// namespace returns the store's namespace if it belongs to the store and no newer generation is recorded in it. Codes:
// conflict, superseded; a namespace that does not exist is the API server's "not found", see [kube.IgnoreNotFound].
func (o ownership) namespace(ctx context.Context, s provision.Store) (*corev1.Namespace, error) {
	ns, err := o.api.Clientset.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
	if err != nil {
		return nil, kube.WrapError(err, "read namespace %s", s.Namespace)
	}
	return ns, o.check(ctx, ns, s)
}

// checkOwner is the part of [ownership.check] that is about the store.
func checkOwner(ns *corev1.Namespace, s provision.Store) error {
	if !belongsTo(ns.Labels, s) {
		return provision.Errorf(provision.CodeConflict,
			"namespace %s exists and does not belong to this store; choose another name or remove it", ns.Name)
	}
	if isRestoreTest(ns) != s.RestoreTest {
		return provision.Errorf(provision.CodeConflict, "namespace %s has the name of the one that backups of this store are tested in; choose another name", ns.Name)
	}
	if newest := generationOf(ns); newest > s.Generation {
		return superseded(ns.Name, newest)
	}
	return nil
}

// checkSameShop refuses a request for another shop than the one whose data is in the namespace. The record refuses it first,
// unless it was lost.
func checkSameShop(ns *corev1.Namespace, s provision.Store) error {
	existing := storeFrom(ns, s)
	if (existing.Engine == "" || existing.Engine == s.Engine) && (existing.Name == "" || existing.Name == s.Name) {
		return nil
	}
	return provision.Errorf(provision.CodeConflict,
		"namespace %s holds the data of this store with engine %s, release %s; request the same engine and name, or delete the store without retain_data first",
		ns.Name, existing.Engine, existing.Name)
}

// markApplied returns when this generation's release was first applied, and records the time if it was just now. The
// readiness timeout starts then, so a later run of the generation must not renew it. ns is the namespace as it was read before.
func (o ownership) markApplied(ctx context.Context, s provision.Store, ns *corev1.Namespace) (time.Time, error) {
	now := time.Now()
	for range maxConflicts {
		if at, ok := appliedAt(ns, s.Generation); ok {
			return at, nil
		}
		setApplied(ns, s.Generation, now)
		err := o.update(ctx, &ns)
		if !apierrors.IsConflict(err) {
			return now, kube.WrapError(err, "record in namespace %s that its release was applied", s.Namespace)
		}
		if ns, err = o.namespace(ctx, s); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, provision.Errorf(provision.CodeUnavailable, "namespace %s was changed concurrently on every attempt", s.Namespace)
}

// update writes *ns with the resourceVersion that it was read with, and replaces it with the result.
func (o ownership) update(ctx context.Context, ns **corev1.Namespace) error {
	return o.api.Write(ctx, func() error {
		written, err := o.api.Clientset.CoreV1().Namespaces().Update(ctx, *ns, metav1.UpdateOptions{})
		if err == nil {
			*ns = written
		}
		return err
	})
}

// sameMetadata reports whether the metadata that the orchestrator writes is equal in both.
func sameMetadata(a, b *corev1.Namespace) bool {
	return maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations)
}

func superseded(name string, newest int64) error {
	return provision.Errorf(provision.CodeSuperseded, "namespace %s already has the newer generation %d", name, newest)
}

package cluster

import (
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// maxConflicts is how often a write that found a newer object than it had read looks again before it leaves the matter
// to the next run.
const maxConflicts = 5

// ownNamespace returns the store's namespace if it is the store's and no newer generation has touched it. Codes:
// conflict, superseded; a namespace that is not there is the API server's "not found", see unlessGone.
func (c *Cluster) ownNamespace(ctx context.Context, s provision.Store) (*corev1.Namespace, error) {
	ns, err := c.client.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
	if err != nil {
		return nil, failure(err, "read namespace %s", s.Namespace)
	}
	return ns, mayTouch(ns, s)
}

// mayTouch is the rule "ownership before action", and the generation's turn.
func mayTouch(ns *corev1.Namespace, s provision.Store) error {
	if !ours(ns.Labels, s) {
		return provision.Errorf(provision.CodeConflict,
			"namespace %s exists and does not belong to this store; choose another name or remove it", ns.Name)
	}
	if newest := generationOf(ns); newest > s.Generation {
		return superseded(ns.Name, newest)
	}
	return nil
}

// sameShop refuses a request for another shop than the one whose data is in the namespace. The record refuses it first, as
// far as it knows.
func sameShop(ns *corev1.Namespace, s provision.Store) error {
	there := storeIn(ns, s)
	if (there.Engine == "" || there.Engine == s.Engine) && (there.Name == "" || there.Name == s.Name) {
		return nil
	}
	return provision.Errorf(provision.CodeConflict,
		"namespace %s holds the data of this store as %s, release %s; ask for the same again, or delete the store without retain_data first",
		ns.Name, there.Engine, there.Name)
}

// unlessGone is nil for an error that says that the object is not there, which a delete takes for success.
func unlessGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// markApplied returns when this generation's release was first applied, and writes it down when that is now. The
// readiness budget starts there, so a later run of the generation must not renew it.
func (c *Cluster) markApplied(ctx context.Context, s provision.Store) (time.Time, error) {
	now := time.Now()
	for range maxConflicts {
		ns, err := c.ownNamespace(ctx, s)
		if err != nil {
			return time.Time{}, err
		}
		if at, ok := appliedAt(ns, s.Generation); ok {
			return at, nil
		}
		setApplied(ns, s.Generation, now)
		err = c.updateNamespace(ctx, &ns)
		if !apierrors.IsConflict(err) {
			return now, failure(err, "note in namespace %s that its release was applied", s.Namespace)
		}
	}
	return time.Time{}, provision.Errorf(provision.CodeUnavailable, "namespace %s is being changed all the time", s.Namespace)
}

// updateNamespace writes *ns with the resourceVersion that it was read with, and replaces it with the answer.
func (c *Cluster) updateNamespace(ctx context.Context, ns **corev1.Namespace) error {
	return c.write(ctx, func() error {
		written, err := c.client.CoreV1().Namespaces().Update(ctx, *ns, metav1.UpdateOptions{})
		if err == nil {
			*ns = written
		}
		return err
	})
}

// sameMeta reports whether nothing that the orchestrator writes in a namespace differs.
func sameMeta(a, b *corev1.Namespace) bool {
	return maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations)
}

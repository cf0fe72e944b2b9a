package cluster

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// Namespaces implements [provision.Namespaces].
type Namespaces struct{ c *Cluster }

// Namespaces is the cluster's [provision.Namespaces].
func (c *Cluster) Namespaces() *Namespaces { return &Namespaces{c} }

// Ensure implements [provision.Namespaces]. Every write carries the resourceVersion that was read, or is a create, so
// that of two runs only one gets through and the other looks again.
func (n *Namespaces) Ensure(ctx context.Context, s provision.Store) (unfinished bool, err error) {
	for range maxConflicts {
		ns, err := n.c.client.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			err = n.create(ctx, s)
		case err != nil:
			return false, failure(err, "read namespace %s", s.Namespace)
		default:
			if err := mayTouch(ns, s); err != nil {
				return false, err
			}
			if beingDeleted(ns) {
				return true, nil
			}
			if err := sameShop(ns, s); err != nil {
				return false, err
			}
			err = n.renew(ctx, ns, s)
		}
		if err == nil {
			return false, n.c.bind(ctx, s.Namespace)
		}
		if !apierrors.IsAlreadyExists(err) && !apierrors.IsConflict(err) {
			return false, failure(err, "prepare namespace %s", s.Namespace)
		}
	}
	return false, provision.Errorf(provision.CodeUnavailable, "namespace %s is being changed all the time", s.Namespace)
}

// create asks the record first: a run that has slept through its successor must not bring a deleted store back.
func (n *Namespaces) create(ctx context.Context, s provision.Store) error {
	if err := provision.FenceOf(ctx).Confirm(ctx); err != nil {
		if _, coded := errors.AsType[*provision.Error](err); coded {
			return err
		}
		return provision.Wrap(provision.CodeUnavailable, err, "the store's record could not be asked whether the store is still wanted")
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	describe(ns, s)
	return n.c.write(ctx, func() error {
		_, err := n.c.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
		return err
	})
}

// renew writes the generation and its request into a namespace that is the store's, where they are not there yet.
func (n *Namespaces) renew(ctx context.Context, ns *corev1.Namespace, s provision.Store) error {
	was := ns.DeepCopy()
	describe(ns, s)
	if sameMeta(was, ns) {
		return nil
	}
	return n.c.updateNamespace(ctx, &ns)
}

// Claim implements [provision.Namespaces].
func (n *Namespaces) Claim(ctx context.Context, s provision.Store) ([]provision.Store, error) {
	selector := provision.LabelStore + "=" + provision.StoreLabel(s.StoreID)
	list, err := n.c.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, failure(err, "look for the namespaces of the store")
	}
	var places []provision.Store
	for i := range list.Items {
		place, err := n.claim(ctx, &list.Items[i], s)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err == nil && list.Items[i].DeletionTimestamp == nil {
			err = n.c.bind(ctx, place.Namespace) // a store may be older than the binding
		}
		if err != nil {
			return nil, err
		}
		places = append(places, place)
	}
	return places, nil
}

// retainable refuses to retain data of which the deletion has begun: Kubernetes does not take one back.
func (n *Namespaces) retainable(ctx context.Context, ns *corev1.Namespace) error {
	if ns.DeletionTimestamp != nil {
		return provision.Errorf(provision.CodeConflict,
			"the data of the store cannot be retained: namespace %s is being deleted already; delete the store without retain_data", ns.Name)
	}
	list, err := n.c.client.CoreV1().PersistentVolumeClaims(ns.Name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return failure(err, "list the volume claims in namespace %s", ns.Name)
	}
	for _, claim := range list.Items {
		if claim.DeletionTimestamp != nil {
			return provision.Errorf(provision.CodeConflict,
				"the data of the store cannot be retained: volume claim %s in namespace %s is being deleted already; delete the store without retain_data",
				claim.Name, ns.Name)
		}
	}
	return nil
}

// claim marks one namespace as being deleted by this generation.
func (n *Namespaces) claim(ctx context.Context, ns *corev1.Namespace, s provision.Store) (provision.Store, error) {
	place := s
	place.Namespace = ns.Name
	for range maxConflicts {
		if err := mayTouch(ns, s); err != nil {
			return place, err
		}
		if s.RetainData {
			if err := n.retainable(ctx, ns); err != nil {
				return place, err
			}
		}
		was := ns.DeepCopy()
		mark(ns, provision.OpDelete, s)
		if sameMeta(was, ns) {
			return storeIn(ns, s), nil
		}
		err := n.c.updateNamespace(ctx, &ns)
		if err == nil {
			return storeIn(ns, s), nil
		}
		if !apierrors.IsConflict(err) {
			return place, failure(err, "mark namespace %s as being deleted", place.Namespace)
		}
		if ns, err = n.c.ownNamespace(ctx, place); err != nil {
			return place, err
		}
	}
	return place, provision.Errorf(provision.CodeUnavailable, "namespace %s is being changed all the time", place.Namespace)
}

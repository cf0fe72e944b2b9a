package cluster

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// Namespaces implements [provision.Namespaces].
type Namespaces struct {
	api   *kube.Client
	owner ownership
	rbac  *roleBinder
}

// Ensure implements [provision.Namespaces]. Every write is a create or carries the resourceVersion that was read, so that
// of two concurrent runs only one succeeds and the other reads again.
func (n *Namespaces) Ensure(ctx context.Context, s provision.Store) (unfinished bool, err error) {
	for range maxConflicts {
		ns, err := n.api.Clientset.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			err = n.create(ctx, s)
		case err != nil:
			return false, kube.WrapError(err, "read namespace %s", s.Namespace)
		default:
			if err := n.owner.check(ctx, ns, s); err != nil {
				return false, err
			}
			if beingDeleted(ns) {
				return true, nil
			}
			if err := checkSameShop(ns, s); err != nil {
				return false, err
			}
			err = n.update(ctx, ns, s)
		}
		if err == nil {
			return false, n.rbac.bind(ctx, s.Namespace)
		}
		if !apierrors.IsAlreadyExists(err) && !apierrors.IsConflict(err) {
			return false, kube.WrapError(err, "update namespace %s", s.Namespace)
		}
	}
	return false, provision.Errorf(provision.CodeUnavailable, "namespace %s was changed concurrently on every attempt", s.Namespace)
}

// create confirms with the record first: a run that was paused while its successor finished must not recreate a deleted
// store.
func (n *Namespaces) create(ctx context.Context, s provision.Store) error {
	if err := provision.FenceOf(ctx).Confirm(ctx); err != nil {
		if _, coded := errors.AsType[*provision.Error](err); coded {
			return err
		}
		return provision.Wrap(provision.CodeUnavailable, err, "cannot confirm with the store's record that the store is still wanted")
	}
	id, err := n.owner.id(ctx)
	if err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	annotateStore(ns, s)
	if id != "" {
		ns.Labels[labelInstallation] = id
	}
	return n.api.Write(ctx, func() error {
		_, err := n.api.Clientset.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
		return err
	})
}

// update records the generation and its request in the store's namespace, unless they are already recorded.
func (n *Namespaces) update(ctx context.Context, ns *corev1.Namespace, s provision.Store) error {
	was := ns.DeepCopy()
	annotateStore(ns, s)
	if sameMetadata(was, ns) {
		return nil
	}
	return n.owner.update(ctx, &ns)
}

// MarkDeleting implements [provision.Namespaces].
func (n *Namespaces) MarkDeleting(ctx context.Context, op provision.Op, s provision.Store) ([]provision.Store, error) {
	selector := provision.LabelStore + "=" + provision.StoreLabel(s.StoreID)
	list, err := n.api.Clientset.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, kube.WrapError(err, "list the store's namespaces")
	}
	id, err := n.owner.id(ctx)
	if err != nil {
		return nil, err
	}
	var namespaces []provision.Store
	for i := range list.Items {
		if list.Items[i].Labels[labelInstallation] != id {
			continue // the same id at another installation is another store
		}
		store, err := n.markDeleting(ctx, &list.Items[i], op, s)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err == nil && list.Items[i].DeletionTimestamp == nil {
			err = n.rbac.bind(ctx, store.Namespace) // the store may have been created before bindings were
		}
		if err != nil {
			return nil, err
		}
		namespaces = append(namespaces, store)
	}
	return namespaces, nil
}

// checkRetainable refuses to retain data whose deletion has started: Kubernetes cannot undo it.
func (n *Namespaces) checkRetainable(ctx context.Context, ns *corev1.Namespace) error {
	if _, leftover := ns.Annotations[annotationLeftover]; leftover || ns.DeletionTimestamp != nil {
		return provision.Errorf(provision.CodeConflict,
			"the data of the store cannot be retained: namespace %s is being deleted already; delete the store without retain_data", ns.Name)
	}
	list, err := n.api.Clientset.CoreV1().PersistentVolumeClaims(ns.Name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return kube.WrapError(err, "list the volume claims in namespace %s", ns.Name)
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

// markDeleting marks one namespace as being deleted by this generation.
func (n *Namespaces) markDeleting(ctx context.Context, ns *corev1.Namespace, op provision.Op, s provision.Store) (provision.Store, error) {
	s.Namespace, s.RestoreTest = ns.Name, isRestoreTest(ns)
	s.RetainData = s.RetainData && !s.RestoreTest
	for range maxConflicts {
		if err := n.owner.check(ctx, ns, s); err != nil {
			return s, err
		}
		if s.RetainData {
			if err := n.checkRetainable(ctx, ns); err != nil {
				return s, err
			}
		}
		was := ns.DeepCopy()
		annotateDelete(ns, op, s)
		if sameMetadata(was, ns) {
			return leftoverFrom(ns, s), nil
		}
		err := n.owner.update(ctx, &ns)
		if err == nil {
			return leftoverFrom(ns, s), nil
		}
		if !apierrors.IsConflict(err) {
			return s, kube.WrapError(err, "mark namespace %s as being deleted", s.Namespace)
		}
		if ns, err = n.owner.namespace(ctx, s); err != nil {
			return s, err
		}
	}
	return s, provision.Errorf(provision.CodeUnavailable, "namespace %s was changed concurrently on every attempt", s.Namespace)
}

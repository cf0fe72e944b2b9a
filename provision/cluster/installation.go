package cluster

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// labelInstallation on a store's namespace names the installation of the service whose store it is. Several installations may
// use one cluster, and even know stores of the same ids: staging is often a copy of production's database.
const labelInstallation = "orchestrator/installation"

// Installation returns the name of this installation, a label's value. An error means that the name is not known now.
type Installation func(context.Context) (string, error)

// Named is an installation with a name that was set.
func Named(name string) Installation {
	return func(context.Context) (string, error) { return name, nil }
}

// id returns the installation's name; "" where it has none, whose namespaces then have none either.
func (o ownership) id(ctx context.Context) (string, error) {
	if o.installation == nil {
		return "", nil
	}
	id, err := o.installation(ctx)
	if err != nil {
		return "", provision.Wrap(provision.CodeUnavailable, err, "the name of this installation is not known now")
	}
	return id, nil
}

// check must pass before every write: the namespace belongs to the store and to this installation, and no newer generation is
// recorded in it.
func (o ownership) check(ctx context.Context, ns *corev1.Namespace, s provision.Store) error {
	id, err := o.id(ctx)
	if err != nil {
		return err
	}
	if other := ns.Labels[labelInstallation]; other != id && belongsTo(ns.Labels, s) {
		return provision.Errorf(provision.CodeConflict, "namespace %s has a store of %s, and this is %s: choose another namespace, or let an operator take the store over with `worker adopt`",
			ns.Name, installationText(other), installationText(id))
	}
	return checkOwner(ns, s)
}

func installationText(id string) string {
	if id == "" {
		return "an installation without a name"
	}
	return "installation " + id
}

// ForeignStore is a namespace with a store of another installation.
type ForeignStore struct {
	Namespace, StoreID, Host string
	Installation             string // "" for one without a name
}

// ListForeign returns the stores of other installations, by namespace.
func (a *State) ListForeign(ctx context.Context) ([]ForeignStore, error) {
	var found []ForeignStore
	id, err := a.owner.id(ctx)
	if err != nil {
		return nil, err
	}
	err = a.eachNamespace(ctx, func(ns *corev1.Namespace) {
		if other := ns.Labels[labelInstallation]; other != id {
			s := storeFrom(ns, provision.Store{})
			found = append(found, ForeignStore{ns.Name, ns.Annotations[annotationStoreID], s.Host, other})
		}
	})
	return found, err
}

// Adopt gives the store to this installation, unless its namespace changed hands since it was listed; then the error has
// CodeConflict. The next reconciliation puts it on record.
func (a *State) Adopt(ctx context.Context, s ForeignStore) error {
	id, err := a.owner.id(ctx)
	if err != nil {
		return err
	}
	path := metadataPath("labels", labelInstallation)
	steps := []patchStep{{"add", path, id}} // which replaces what is there
	if s.Installation != "" {
		steps = slices.Insert(steps, 0, patchStep{"test", path, s.Installation})
	}
	err = a.patch(ctx, s.Namespace, steps...)
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return provision.Wrap(provision.CodeConflict, err, "namespace %s was deleted or taken over meanwhile", s.Namespace)
	}
	return kube.WrapError(err, "adopt the store in namespace %s", s.Namespace)
}

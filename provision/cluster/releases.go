package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"
)

// Releases implements [provision.Releases] with Helm, in namespaces that belong to the store.
type Releases struct {
	helm  *helm.Client
	owner ownership
}

// planFor plans a release in a namespace that belongs to the store.
func (r *Releases) planFor(ctx context.Context, s provision.Store, want provision.Release) (plan helm.Plan, ns *corev1.Namespace, err error) {
	plan, err = r.helm.Plan(want)
	if err == nil {
		ns, err = r.owner.namespace(ctx, s)
	}
	return plan, ns, err
}

// Apply implements [provision.Releases]. Codes: invalid for chart and values, conflict for an object that does not
// belong to the release, quota for quotas and admission rules, unavailable.
func (r *Releases) Apply(ctx context.Context, s provision.Store, want provision.Release) (provision.Applied, error) {
	plan, ns, err := r.planFor(ctx, s, want)
	if err != nil {
		return provision.Applied{}, err
	}
	_, before := ns.Annotations[annotationApplied]
	done, err := r.helm.Apply(ctx, s, plan, !before)
	if err != nil {
		return provision.Applied{}, err
	}
	at, err := r.owner.markApplied(ctx, s, ns)
	return provision.Applied{At: at, Edition: done.Edition(), Outdated: done.Edition() != plan.Edition()}, err
}

// job renders the pod of a job of the store's chart.
func (r *Releases) job(ctx context.Context, s provision.Store, want provision.Release, name string) (*corev1.Pod, error) {
	plan, _, err := r.planFor(ctx, s, want)
	if err != nil {
		return nil, err
	}
	return r.helm.Job(ctx, s, plan, name)
}

// Editions implements [provision.Upgrader].
func (r *Releases) Editions(ctx context.Context, s provision.Store, want provision.Release) (provision.Editions, error) {
	plan, _, err := r.planFor(ctx, s, want)
	if err != nil {
		return provision.Editions{}, err
	}
	return r.helm.Editions(ctx, s, plan)
}

// Revert implements [provision.Upgrader].
func (r *Releases) Revert(ctx context.Context, s provision.Store, want provision.Release, edition string) error {
	plan, _, err := r.planFor(ctx, s, want)
	if err != nil {
		return err
	}
	return r.helm.Revert(ctx, s, plan, edition)
}

// Inspect implements [provision.Auditor]: a look costs a request for the namespace, one for the release, one for each of its objects, and one more for
// each that differs.
func (r *Releases) Inspect(ctx context.Context, s provision.Store, want provision.Release, repair bool) (provision.Finding, error) {
	plan, _, err := r.planFor(ctx, s, want)
	if err != nil {
		return provision.Finding{}, err
	}
	seen, err := r.helm.Inspect(ctx, s, plan)
	found := provision.Finding{Edition: seen.Edition, Outdated: seen.Edition != plan.Edition(), Drift: seen.Drift}
	if err != nil || !repair || len(seen.Drift) == 0 {
		return found, err
	}
	if _, err := r.helm.Apply(ctx, s, plan, false); err != nil {
		return found, err
	}
	found.Drift, found.Repaired = nil, seen.Drift
	return found, nil
}

// Remove implements [provision.Releases]. Only "not found" counts as removed: a record that cannot be read is an error.
func (r *Releases) Remove(ctx context.Context, s provision.Store) error {
	ns, err := r.owner.namespace(ctx, s)
	if err != nil {
		return kube.IgnoreNotFound(err)
	}
	if s.Name == "" || ns.DeletionTimestamp != nil {
		return nil // no name is recorded, or the namespace is being deleted and the release's objects with it
	}
	return r.helm.Remove(ctx, s)
}

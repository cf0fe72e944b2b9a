package helm

import (
	"context"

	"helm.sh/helm/v3/pkg/release"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// Inspection is what was found of a release.
type Inspection struct {
	Edition string // that the store has; "" where its record does not say it
	Drift   []provision.Difference
}

// Inspect compares a store's release with the plan, in the edition that it has, and its objects with what the release says. It changes nothing. The
// caller has checked that the namespace belongs to the store.
func (c *Client) Inspect(ctx context.Context, s provision.Store, want Plan) (Inspection, error) {
	op, err := c.operation(ctx, s.Namespace)
	if err != nil {
		return Inspection{}, err
	}
	defer op.cancel()
	last, err := op.last(s.ReleaseName())
	if err != nil {
		return Inspection{}, err
	}
	name := "release " + s.ReleaseName()
	if last == nil {
		return Inspection{Drift: []provision.Difference{{Object: name, Missing: true}}}, nil
	}
	plan, err := op.pin(s, want, last)
	if err != nil {
		return Inspection{}, err
	}
	found := Inspection{Edition: last.Labels[labelEdition]}
	switch {
	case last.Info.Status != release.StatusDeployed:
		found.Drift = append(found.Drift, provision.Difference{Object: name, Fields: []string{"status"}})
	case found.Edition == "": // the digest of a record from before editions cannot be compared
	case last.Labels[labelDigest] != plan.digest:
		found.Drift = append(found.Drift, provision.Difference{Object: name, Fields: []string{"values"}})
	}
	objects, err := op.compare(last, false)
	found.Drift = append(found.Drift, objects...)
	return found, kube.WrapError(op.apiErrors.cause(err), "compare release %s with its objects", s.ReleaseName())
}

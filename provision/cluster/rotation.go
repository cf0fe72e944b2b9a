package cluster

import (
	"context"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/job"
	"orchestrator/provision/cluster/kube"
)

// annotationRotated of the store's Secret is the request to rotate ([provision.Store].Rotation) that its entries are as new as.
const annotationRotated = "orchestrator/rotated"

// jobRotate is the name of the charts' job that gives a running shop the entries that were drawn.
const jobRotate = "rotate"

// Rotations implements [provision.Rotator]. The new values are entries of their own until the shop has taken them, so that a run that ends in between
// leaves a store whose password works, and the next one goes on with the same values.
type Rotations struct {
	api         *kube.Client
	credentials *Credentials
	releases    *Releases
}

// Due implements [provision.Rotator].
func (r *Rotations) Due(ctx context.Context, s provision.Store) (bool, error) {
	secret, err := r.credentials.secret(ctx, s)
	return err == nil && rotatedAt(secret) < s.Rotation, err
}

func rotatedAt(secret *corev1.Secret) int64 {
	n, _ := strconv.ParseInt(secret.Annotations[annotationRotated], 10, 64)
	return n
}

// Rotate implements [provision.Rotator]. The pod of the job is gone before the values become the store's: one that is found belongs to values
// that are still drawn.
func (r *Rotations) Rotate(ctx context.Context, s provision.Store, want provision.Release, deadline time.Time) error {
	rotates := slices.DeleteFunc(slices.Clone(want.Credentials), func(c provision.Credential) bool { return !c.Rotates })
	if len(rotates) == 0 {
		return provision.Errorf(provision.CodeInvalid, "engine %s has no credentials that could be rotated", s.Engine)
	}
	pod, err := r.releases.job(ctx, s, want, jobRotate)
	if err != nil {
		return err
	}
	err = r.credentials.change(ctx, s, func(secret *corev1.Secret) (bool, error) { return draw(secret, rotates, provision.NextSuffix) })
	if err != nil {
		return err
	}
	if _, err := job.Run(ctx, r.api, pod, deadline); err != nil {
		return err
	}
	return r.credentials.change(ctx, s, func(secret *corev1.Secret) (bool, error) { return takeNext(secret, rotates, s.Rotation), nil })
}

// takeNext makes the next values the store's.
func takeNext(secret *corev1.Secret, rotates []provision.Credential, rotation int64) (changed bool) {
	for _, credential := range rotates {
		next := credential.Key + provision.NextSuffix
		if value := secret.Data[next]; len(value) > 0 {
			secret.Data[credential.Key] = value
			delete(secret.Data, next)
		}
	}
	return setRotated(secret, rotation)
}

func setRotated(secret *corev1.Secret, rotation int64) (changed bool) {
	if rotatedAt(secret) >= rotation {
		return false
	}
	secret.Annotations[annotationRotated] = strconv.FormatInt(rotation, 10)
	return true
}

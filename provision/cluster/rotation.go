package cluster

import (
	"context"
	"slices"
	"strconv"
	"strings"
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

// annotationRestored of the store's Secret is the generation of the last restore that was done, and when that was.
const annotationRestored = "orchestrator/restored"

// RestoredAt implements [backup.Credentials].
func (c *Credentials) RestoredAt(ctx context.Context, s provision.Store) (time.Time, error) {
	secret, err := c.secret(ctx, s)
	if err != nil {
		return time.Time{}, err
	}
	return restoredAt(secret, s.Restore.Generation), nil
}

func restoredAt(secret *corev1.Secret, generation int64) time.Time {
	text, at, _ := strings.Cut(secret.Annotations[annotationRestored], " ")
	done, err := time.Parse(time.RFC3339, at)
	if err != nil || text != strconv.FormatInt(generation, 10) {
		return time.Time{}
	}
	return done
}

// TakeBack implements [backup.Credentials]. What a rotation has drawn since belongs to the shop of before; one that was asked for with the restore, or later, comes after it.
func (c *Credentials) TakeBack(ctx context.Context, s provision.Store, all []provision.Credential, entries map[string]string) error {
	return c.change(ctx, s, func(secret *corev1.Secret) (bool, error) {
		if !restoredAt(secret, s.Restore.Generation).IsZero() {
			return false, nil
		}
		for _, credential := range all {
			delete(secret.Data, credential.Key+provision.NextSuffix)
			if value := entries[credential.Key]; value != "" && !credential.Initial {
				secret.Data[credential.Key] = []byte(value)
			}
		}
		if s.Rotation >= s.Restore.Generation {
			delete(secret.Annotations, annotationRotated)
		}
		secret.Annotations[annotationRestored] = strconv.FormatInt(s.Restore.Generation, 10) + " " + time.Now().UTC().Format(time.RFC3339)
		return true, nil
	})
}

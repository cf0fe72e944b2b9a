package cluster

import (
	"context"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	err = r.credentials.change(ctx, s, func(secret *corev1.Secret) (bool, error) { return drawNext(secret, rotates) })
	if err != nil {
		return err
	}
	if err := job.Run(ctx, r.api, pod, deadline); err != nil {
		return err
	}
	return r.credentials.change(ctx, s, func(secret *corev1.Secret) (bool, error) { return takeNext(secret, rotates, s.Rotation), nil })
}

// drawNext adds the next values that are missing.
func drawNext(secret *corev1.Secret, rotates []provision.Credential) (changed bool, err error) {
	for _, credential := range rotates {
		next := credential.Key + provision.NextSuffix
		if len(secret.Data[next]) > 0 {
			continue
		}
		if secret.Data[next], err = generate(credential); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
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

// secret reads the store's Secret.
func (c *Credentials) secret(ctx context.Context, s provision.Store) (*corev1.Secret, error) {
	secret, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Get(ctx, provision.CredentialsSecret, metav1.GetOptions{})
	if err != nil {
		return nil, kube.WrapError(err, "read secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
	}
	if !belongsTo(secret.Labels, s) {
		return nil, provision.Errorf(provision.CodeConflict, "secret %s in namespace %s does not belong to this store", provision.CredentialsSecret, s.Namespace)
	}
	return secret, nil
}

// change writes the store's Secret with the resourceVersion that it was read with, where do reports that it has changed it.
func (c *Credentials) change(ctx context.Context, s provision.Store, do func(*corev1.Secret) (changed bool, err error)) error {
	for range maxConflicts {
		secret, err := c.secret(ctx, s)
		if err != nil {
			return err
		}
		if secret.Annotations == nil {
			secret.Annotations = map[string]string{}
		}
		if changed, err := do(secret); err != nil || !changed {
			return err
		}
		err = c.api.Write(ctx, func() error {
			_, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Update(ctx, secret, metav1.UpdateOptions{})
			return err
		})
		if !apierrors.IsConflict(err) {
			return kube.WrapError(err, "write secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
		}
	}
	return provision.Errorf(provision.CodeUnavailable, "secret %s in namespace %s was changed concurrently on every attempt",
		provision.CredentialsSecret, s.Namespace)
}

package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// Credentials implements [provision.Credentials].
type Credentials struct {
	api    *kube.Client
	owner  ownership
	stores StoreSecrets
}

// Ensure implements [provision.Credentials]. It adds missing entries and never changes existing ones; [Rotations] does.
//
// Volume claims without a Secret are a conflict, whether or not the release was ever applied here: a data directory keeps
// the password it was created with, so a new password would lock the store out of its own data for good. The orchestrator
// creates claims only after the Secret, so either the Secret was lost or the data was imported; in both cases an operator
// has to restore the Secret or remove the claims. A claim that is being deleted does not count. The same holds for
// entries that existed before.
//
// The Secrets that stores get of the installation are written after it, see [StoreSecrets].
func (c *Credentials) Ensure(ctx context.Context, s provision.Store, want []provision.Credential) error {
	if _, err := c.owner.namespace(ctx, s); err != nil {
		return err
	}
	if err := c.ensureOwn(ctx, s, want); err != nil {
		return err
	}
	return c.deliver(ctx, s)
}

// ensureOwn creates or completes the store's own Secret.
func (c *Credentials) ensureOwn(ctx context.Context, s provision.Store, want []provision.Credential) error {
	secrets := c.api.Clientset.CoreV1().Secrets(s.Namespace)
	for range maxConflicts {
		secret, err := secrets.Get(ctx, provision.CredentialsSecret, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			err = c.create(ctx, s, want)
		case err != nil:
			return kube.WrapError(err, "read secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
		default:
			err = c.complete(ctx, s, secret, want)
		}
		if !apierrors.IsAlreadyExists(err) && !apierrors.IsConflict(err) {
			return kube.WrapError(err, "write secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
		}
	}
	return provision.Errorf(provision.CodeUnavailable, "secret %s in namespace %s was changed concurrently on every attempt",
		provision.CredentialsSecret, s.Namespace)
}

func (c *Credentials) create(ctx context.Context, s provision.Store, want []provision.Credential) error {
	if err := c.checkNoOldData(ctx, s, "secret "+provision.CredentialsSecret); err != nil {
		return err
	}
	secret := &corev1.Secret{Type: corev1.SecretTypeOpaque, ObjectMeta: metav1.ObjectMeta{Name: provision.CredentialsSecret}}
	if _, err := addMissing(secret, s, want); err != nil {
		return err
	}
	setRotated(secret, s.Rotation)
	return c.api.Write(ctx, func() error {
		_, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Create(ctx, secret, metav1.CreateOptions{})
		return err
	})
}

// complete adds missing entries.
func (c *Credentials) complete(ctx context.Context, s provision.Store, secret *corev1.Secret, want []provision.Credential) error {
	if lost := lostEntries(secret, want); len(lost) > 0 {
		missing := fmt.Sprintf("%s in secret %s", strings.Join(lost, ", "), provision.CredentialsSecret)
		if err := c.checkNoOldData(ctx, s, missing); err != nil {
			return err
		}
	}
	changed, err := addMissing(secret, s, want)
	if err != nil || !changed {
		return err
	}
	return c.update(ctx, secret)
}

// lostEntries returns the wanted entries that existed before and are missing now: an annotation of the Secret lists the
// entries that it was created with. If a Secret has neither the annotation nor any of the entries, all are lost.
func lostEntries(secret *corev1.Secret, want []provision.Credential) (lost []string) {
	made, known := secret.Annotations[annotationEntries]
	missing := 0
	for _, credential := range want {
		if len(secret.Data[credential.Key]) > 0 {
			continue
		}
		missing++
		if !known || slices.Contains(strings.Split(made, ","), credential.Key) {
			lost = append(lost, credential.Key)
		}
	}
	if !known && missing < len(want) {
		return nil
	}
	return lost
}

// checkNoOldData refuses to generate credentials next to data that was created with others.
func (c *Credentials) checkNoOldData(ctx context.Context, s provision.Store, missing string) error {
	list, err := c.api.Clientset.CoreV1().PersistentVolumeClaims(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return kube.WrapError(err, "list the volume claims in namespace %s", s.Namespace)
	}
	var names []string
	for _, claim := range list.Items {
		if claim.DeletionTimestamp == nil {
			names = append(names, claim.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return provision.Errorf(provision.CodeConflict,
		"namespace %s has the volume claims %s, but the credentials that their data was created with are missing (%s): restore the secret, or delete the store without retain_data",
		s.Namespace, strings.Join(names, ", "), missing)
}

// addMissing adds missing labels and entries and reports whether it added any.
func addMissing(secret *corev1.Secret, s provision.Store, want []provision.Credential) (changed bool, err error) {
	if secret.Labels == nil {
		secret.Labels = map[string]string{}
	}
	for key, value := range labelsOf(s) {
		changed = changed || secret.Labels[key] != value
		secret.Labels[key] = value
	}
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	if entries := entriesOf(secret, want); secret.Annotations[annotationEntries] != entries {
		changed, secret.Annotations[annotationEntries] = true, entries
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	drawn, err := draw(secret, want, "")
	return changed || drawn, err
}

// draw adds the entries of credentials that are missing, under their keys and the suffix, and reports whether it added any.
func draw(secret *corev1.Secret, credentials []provision.Credential, suffix string) (changed bool, err error) {
	for _, credential := range credentials {
		key := credential.Key + suffix
		if len(secret.Data[key]) > 0 { // an empty password is no credential
			continue
		}
		if secret.Data[key], err = generate(credential); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

// entriesOf lists every entry that was ever generated in the Secret, including the wanted ones.
func entriesOf(secret *corev1.Secret, want []provision.Credential) string {
	keys := map[string]bool{}
	for key := range strings.SplitSeq(secret.Annotations[annotationEntries], ",") {
		keys[key] = key != ""
	}
	for _, credential := range want {
		keys[credential.Key] = true
	}
	maps.DeleteFunc(keys, func(_ string, made bool) bool { return !made })
	return strings.Join(slices.Sorted(maps.Keys(keys)), ",")
}

// generate draws every character independently and uniformly.
func generate(credential provision.Credential) ([]byte, error) {
	if credential.Length < 1 || len(credential.Chars) < 2 {
		return nil, provision.Errorf(provision.CodeInvalid, "credential %s has no length or no characters to draw from", credential.Key)
	}
	drawn := make([]byte, credential.Length)
	for i := range drawn {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(credential.Chars))))
		if err != nil {
			return nil, fmt.Errorf("cannot read random numbers: %w", err)
		}
		drawn[i] = credential.Chars[n.Int64()]
	}
	return slices.Concat([]byte(credential.Prefix), drawn), nil
}

// Password returns the password of the store's owner, for the READY callback. The error is [provision.ErrNoCredentials] if
// the Secret or the entry is missing or does not belong to the store.
func (c *Credentials) Password(ctx context.Context, s provision.Store) (string, error) {
	return c.get(ctx, s, provision.AdminPassword)
}

// get reads one entry of the store's Secret. No error contains its value.
func (c *Credentials) get(ctx context.Context, s provision.Store, key string) (string, error) {
	secret, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Get(ctx, provision.CredentialsSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", provision.ErrNoCredentials
	}
	if err != nil {
		return "", kube.WrapError(err, "read secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
	}
	return credentialIn(secret, s, key)
}

// credentialIn is one entry of a store's Secret, which may be nil.
func credentialIn(secret *corev1.Secret, s provision.Store, key string) (string, error) {
	if secret == nil || !belongsTo(secret.Labels, s) || len(secret.Data[key]) == 0 {
		return "", provision.ErrNoCredentials
	}
	return string(secret.Data[key]), nil
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

// change writes the store's Secret where do reports that it has changed it.
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
		if err = c.update(ctx, secret); !apierrors.IsConflict(err) {
			return kube.WrapError(err, "write secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
		}
	}
	return provision.Errorf(provision.CodeUnavailable, "secret %s in namespace %s was changed concurrently on every attempt",
		provision.CredentialsSecret, s.Namespace)
}

// update writes a Secret with the resourceVersion that it was read with, so that two writers cannot overwrite each other.
func (c *Credentials) update(ctx context.Context, secret *corev1.Secret) error {
	return c.api.Write(ctx, func() error {
		_, err := c.api.Clientset.CoreV1().Secrets(secret.Namespace).Update(ctx, secret, metav1.UpdateOptions{})
		return err
	})
}

package cluster

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// Password returns the password of the store's owner, for the READY callback. The error is [provision.ErrNoCredentials] if
// the Secret or the entry is missing or does not belong to the store.
func (c *Cluster) Password(ctx context.Context, s provision.Store) (string, error) {
	return c.credential(ctx, s, provision.AdminPassword)
}

// credential reads one entry of the store's Secret. No error contains its value.
func (c *Cluster) credential(ctx context.Context, s provision.Store, key string) (string, error) {
	secret, err := c.client.CoreV1().Secrets(s.Namespace).Get(ctx, provision.CredentialsSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", provision.ErrNoCredentials
	}
	if err != nil {
		return "", wrapError(err, "read secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
	}
	value := secret.Data[key]
	if !belongsTo(secret.Labels, s) || len(value) == 0 {
		return "", provision.ErrNoCredentials
	}
	return string(value), nil
}

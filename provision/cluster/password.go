package cluster

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// Password returns what the store's owner logs in with, for the READY callback. It is [provision.ErrNoCredentials] where
// the Secret or the entry is missing or is not the store's.
func (c *Cluster) Password(ctx context.Context, s provision.Store) (string, error) {
	return c.credential(ctx, s, provision.AdminPassword)
}

// credential reads one entry of the store's Secret. Its value is in no error.
func (c *Cluster) credential(ctx context.Context, s provision.Store, key string) (string, error) {
	secret, err := c.client.CoreV1().Secrets(s.Namespace).Get(ctx, provision.CredentialsSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", provision.ErrNoCredentials
	}
	if err != nil {
		return "", failure(err, "read secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
	}
	value := secret.Data[key]
	if !ours(secret.Labels, s) || len(value) == 0 {
		return "", provision.ErrNoCredentials
	}
	return string(value), nil
}

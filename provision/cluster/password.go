package cluster

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

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
	value := secret.Data[key]
	if !belongsTo(secret.Labels, s) || len(value) == 0 {
		return "", provision.ErrNoCredentials
	}
	return string(value), nil
}

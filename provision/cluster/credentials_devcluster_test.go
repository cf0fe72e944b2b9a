//go:build devcluster

package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

func TestCredentialsEnsureOnlyAddsEntries(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	first, err := c.Credentials.Password(t.Context(), s)
	if err != nil || len(first) != 24 {
		t.Fatalf("%d characters, error %v", len(first), err)
	}
	more := append(tinyRelease(s, nil).Credentials, provision.Credential{Key: "key", Prefix: "ck_", Length: 40, Chars: provision.Hex})
	s.Generation = 2
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := c.Credentials.Ensure(t.Context(), s, more); err != nil {
		t.Fatal(err)
	}
	secret := getSecret(t, c, s)
	if string(secret.Data[provision.AdminPassword]) != first {
		t.Error("the password has changed")
	}
	if key := string(secret.Data["key"]); len(key) != 43 || !strings.HasPrefix(key, "ck_") {
		t.Errorf("the added entry has %d characters", len(key))
	}
	if !belongsTo(secret.Labels, s) {
		t.Errorf("labels are %v", secret.Labels)
	}
}

func TestCredentialsEnsureRefusesDataWithoutItsSecret(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	apply(t, c, s, nil)
	waitForClaim(t, c, s)
	secrets := c.api.Clientset.CoreV1().Secrets(s.Namespace)
	if err := secrets.Delete(t.Context(), provision.CredentialsSecret, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := c.Credentials.Ensure(t.Context(), s, tinyRelease(s, nil).Credentials)
	wantCode(t, err, provision.CodeConflict)
	if !strings.Contains(provision.Public(err), "data-shop-db-0") {
		t.Errorf("%q does not name the claim", provision.Public(err))
	}
	if _, err := c.Credentials.Password(t.Context(), s); !errors.Is(err, provision.ErrNoCredentials) {
		t.Errorf("the password's error is %v", err)
	}
}

func TestCredentialsPasswordIsOfTheStoreOnly(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	other := s
	other.StoreID = "other"
	if password, err := c.Credentials.Password(t.Context(), other); !errors.Is(err, provision.ErrNoCredentials) || password != "" {
		t.Errorf("read %d characters, error %v", len(password), err)
	}
}

func getSecret(t *testing.T, c *Cluster, s provision.Store) *corev1.Secret {
	t.Helper()
	secret, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Get(context.Background(), provision.CredentialsSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

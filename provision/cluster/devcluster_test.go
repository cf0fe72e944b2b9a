//go:build devcluster

package cluster

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"
)

// These tests run against a real API server and real controllers: ORCH_TEST_KUBECONFIG=… go test -tags devcluster.

func devConfig(t *testing.T) Config {
	t.Helper()
	kubeconfig := os.Getenv("ORCH_TEST_KUBECONFIG")
	if kubeconfig == "" {
		t.Fatal("set ORCH_TEST_KUBECONFIG to the kubeconfig of a cluster that may be written to, such as deploy/devcluster's")
	}
	return Config{API: kube.Config{Kubeconfig: kubeconfig, Log: slog.New(slog.DiscardHandler)}, Charts: helm.Charts{FS: tinyCharts()}}
}

func devCluster(t *testing.T) *Cluster {
	t.Helper()
	c, err := Connect(devConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// watching starts the informers for the time of the test.
func watching(t *testing.T, c *Cluster) *Cluster {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); c.Close() })
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// devStore returns a new store whose namespace is deleted after the test.
func devStore(t *testing.T, c *Cluster) provision.Store {
	t.Helper()
	s := testStore(1)
	id := strings.ToLower(rand.Text()[:8])
	s.StoreID, s.Namespace = "store."+id, "test-"+id
	t.Cleanup(func() { dropNamespace(t, c, s.Namespace) })
	return s
}

func dropNamespace(t *testing.T, c *Cluster, name string) {
	t.Helper()
	err := c.api.Clientset.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}

// prepared is a store whose namespace and credentials exist.
func prepared(t *testing.T, c *Cluster) provision.Store {
	t.Helper()
	s := devStore(t, c)
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := c.Credentials.Ensure(t.Context(), s, tinyRelease(s, nil).Credentials); err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t *testing.T, c *Cluster, s provision.Store, values map[string]any) time.Time {
	t.Helper()
	applied, err := c.Releases.Apply(t.Context(), s, tinyRelease(s, values))
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return applied.At
}

// leave writes a status into the newest record, as a run that died leaves it.
func leave(t *testing.T, c *Cluster, s provision.Store, status release.Status) {
	t.Helper()
	last := lastRecord(t, c, s)
	last.SetStatus(status, "left by the test")
	if err := records(c, s).Update(last); err != nil {
		t.Fatal(err)
	}
}

func getConfigMap(t *testing.T, c *Cluster, s provision.Store, name string) (*corev1.ConfigMap, bool) {
	t.Helper()
	found, err := c.api.Clientset.CoreV1().ConfigMaps(s.Namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return found, err == nil
}

//go:build devcluster || realcluster

package e2e

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"orchestrator/provision"
)

// world looks at the cluster past the service.
type world struct {
	t *testing.T
	k kubernetes.Interface
}

func newWorld(t *testing.T) world {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", must(t, "ORCH_TEST_KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return world{t, k}
}

// revisions returns Helm's records of the store's release.
func (w world) revisions(s provision.Request) []corev1.Secret {
	w.t.Helper()
	list, err := w.k.CoreV1().Secrets(s.Namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "owner=helm,name=" + s.Name})
	if err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// deployed counts the revisions of the store's release that are deployed.
func (w world) deployed(s provision.Request) (n int) {
	w.t.Helper()
	for _, revision := range w.revisions(s) {
		if revision.Labels["status"] == "deployed" {
			n++
		}
	}
	return n
}

func (w world) credentials(s provision.Request) corev1.Secret {
	w.t.Helper()
	secret, err := w.k.CoreV1().Secrets(s.Namespace).Get(context.Background(), provision.CredentialsSecret, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return *secret
}

func (w world) gone(namespace string) bool {
	_, err := w.k.CoreV1().Namespaces().Get(context.Background(), namespace, metav1.GetOptions{})
	return apierrors.IsNotFound(err)
}

//go:build devcluster

package engine_test

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// A release whose record was deleted by hand is removed by what is known of its objects; a route that stayed would keep the host.
func TestARouteGoesWithAReleaseThatHasNoRecord(t *testing.T) {
	newJudge(t) // the cluster serves HTTPRoutes
	config, err := clientcmd.BuildConfigFromFlags("", devKubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	client := devClient(t)
	s := devStore(t, client, "woocommerce")
	c := devApply(t, s, gateway)
	records := metav1.ListOptions{FieldSelector: "type=helm.sh/release.v1"}
	if err := client.CoreV1().Secrets(s.Namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, records); err != nil {
		t.Fatal(err)
	}
	routes := dynamic.NewForConfigOrDie(config).Resource(schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"})
	if _, err := routes.Namespace(s.Namespace).Get(t.Context(), s.Name, metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Releases.Remove(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	poll(t, "the route is gone", func(ctx context.Context) error {
		_, err := routes.Namespace(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is still there"), err)
	})
}

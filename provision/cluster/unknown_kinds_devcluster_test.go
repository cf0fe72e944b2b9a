//go:build devcluster

package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"orchestrator/provision"
)

// newKind gives the cluster a kind of its own for the test, and returns an object of it and a function that takes the kind
// away again.
func newKind(t *testing.T, c *Cluster) (object map[string]any, remove func()) {
	t.Helper()
	group := strings.ToLower(rand.Text()[:8]) + ".example.com"
	definition := fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"gadgets.%s"},
		"spec":{"group":%q,"scope":"Namespaced","names":{"plural":"gadgets","singular":"gadget","kind":"Gadget","listKind":"GadgetList"},
		"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`, group, group)
	const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	client := c.api.Clientset.Discovery().RESTClient()
	if err := client.Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body([]byte(definition)).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	remove = func() {
		_ = client.Delete().AbsPath(path + "/gadgets." + group).Do(context.Background()).Error()
		until(t, "the kind is gone", func(ctx context.Context) bool {
			return apierrors.IsNotFound(client.Get().AbsPath("/apis/" + group + "/v1").Do(ctx).Error())
		})
	}
	t.Cleanup(remove)
	until(t, "the kind is served", func(ctx context.Context) bool {
		data, err := client.Get().AbsPath("/apis/"+group+"/v1").SetHeader("Accept", "application/json").DoRaw(ctx)
		var list metav1.APIResourceList
		return err == nil && json.Unmarshal(data, &list) == nil && len(list.APIResources) > 0
	})
	return map[string]any{"apiVersion": group + "/v1", "kind": "Gadget", "metadata": map[string]any{"name": "gadget"}}, remove
}

func until(t *testing.T, what string, check func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) { return check(ctx), nil })
	if err != nil {
		t.Fatalf("%s: not within a minute", what)
	}
}

// An object of a release went with its CustomResourceDefinition; a worker that starts after that knows nothing of the kind.
func TestAReleaseSurvivesTheKindOfOneOfItsObjects(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(t *testing.T, c *Cluster, s provision.Store, object map[string]any){
		"removed": func(t *testing.T, c *Cluster, s provision.Store, _ map[string]any) {
			if err := c.Releases.Remove(t.Context(), s); err != nil {
				t.Error(err)
			}
			if _, there := getConfigMap(t, c, s, s.Name); there {
				t.Error("the other objects are still there")
			}
		},
		"upgraded without it": func(t *testing.T, c *Cluster, s provision.Store, _ map[string]any) {
			apply(t, c, s, map[string]any{"message": "after"})
			if m, there := getConfigMap(t, c, s, s.Name); !there || m.Data["message"] != "after" {
				t.Errorf("the config map is %v", m.Data)
			}
		},
		"applied with it": func(t *testing.T, c *Cluster, s provision.Store, object map[string]any) {
			_, err := c.Releases.Apply(t.Context(), s, tinyRelease(s, map[string]any{"extraObject": object}))
			wantCode(t, err, provision.CodeInvalid)
			if !strings.Contains(provision.Public(err), "Gadget") {
				t.Errorf("%q does not name the kind", provision.Public(err))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := devCluster(t)
			s := prepared(t, before)
			object, remove := newKind(t, before)
			apply(t, before, s, map[string]any{"extraObject": object})
			remove()
			after(t, devCluster(t), s, object)
		})
	}
}

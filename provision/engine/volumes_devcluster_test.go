//go:build devcluster

package engine_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/cluster"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/engine"
)

// These tests run against a real API server and real controllers: ORCH_TEST_KUBECONFIG=… go test -tags devcluster.

func devKubeconfig(t *testing.T) string {
	t.Helper()
	kubeconfig := os.Getenv("ORCH_TEST_KUBECONFIG")
	if kubeconfig == "" {
		t.Fatal("set ORCH_TEST_KUBECONFIG to the kubeconfig of a cluster that may be written to, such as deploy/devcluster's")
	}
	return kubeconfig
}

func devClient(t *testing.T) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", devKubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// devStore is a store with a namespace of its own, which goes with the test.
func devStore(t *testing.T, client kubernetes.Interface, engineName string) provision.Store {
	t.Helper()
	s := store(engineName, provision.Settings{})
	id := strings.ToLower(rand.Text()[:8])
	s.StoreID, s.Namespace = "store-"+id, "charts-"+id
	t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(context.Background(), s.Namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return s
}

// devApply applies the store's release as an installation with these values would.
func devApply(t *testing.T, s provision.Store, installation map[string]any) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Connect(cluster.Config{
		API:    kube.Config{Kubeconfig: devKubeconfig(t), Log: slog.New(slog.DiscardHandler)},
		Charts: helm.Charts{FS: charts.FS, Env: "development", Values: installation},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := c.Credentials.Ensure(t.Context(), s, releaseOf(t, s).Credentials); err != nil {
		t.Fatal(err)
	}
	s.Force = []provision.Force{provision.ForceUpgrade} // the installation's values have changed
	if _, err := c.Releases.Apply(t.Context(), s, releaseOf(t, s)); err != nil {
		t.Fatalf("apply: %v", err)
	}
	return c
}

// volumes are values that give every volume of an engine the same size.
func volumes(engineName, size string, common map[string]any) map[string]any {
	persistence := map[string]any{}
	for _, name := range volumeNames(engineName) {
		persistence[name] = map[string]any{"size": size}
	}
	return map[string]any{"common": common, "persistence": persistence}
}

// volumeNames are the volumes of an engine's chart: the keys of persistence.
func volumeNames(engineName string) []string {
	values, err := readValues(charts.FS, "store/"+engineName+"/values.yaml")
	if err != nil {
		panic(err)
	}
	return slices.Sorted(maps.Keys(values["persistence"].(map[string]any)))
}

// claimSizes waits until every claim of the namespace is bound, and returns what they ask for, by "<class>/<name>".
func claimSizes(t *testing.T, client kubernetes.Interface, namespace string) map[string]string {
	t.Helper()
	var sizes map[string]string
	poll(t, "the volumes in "+namespace+" are bound", func(ctx context.Context) error {
		list, err := client.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
		sizes = map[string]string{}
		for _, claim := range list.Items {
			if claim.Status.Phase != corev1.ClaimBound {
				return fmt.Errorf("%s is %s", claim.Name, claim.Status.Phase)
			}
			size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
			sizes[*claim.Spec.StorageClassName+"/"+claim.Name] = size.String()
		}
		return err
	})
	return sizes
}

// poll asks until check returns nil. The limit is for failures only.
func poll(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: not within a minute: %v", what, last)
	}
}

func growingClass(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	yes := true
	class, err := client.StorageV1().StorageClasses().Create(t.Context(), &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "grows-"}, Provisioner: "kubernetes.io/host-path", AllowVolumeExpansion: &yes,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.StorageV1().StorageClasses().Delete(context.Background(), class.Name, metav1.DeleteOptions{})
	})
	return class.Name
}

// TestOtherVolumesLeaveStoresAsTheyAre: an installation that gives new stores larger, smaller or other volumes goes on
// upgrading the stores that it has.
func TestOtherVolumesLeaveStoresAsTheyAre(t *testing.T) {
	client := devClient(t)
	for _, name := range engine.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := devStore(t, client, name)
			devApply(t, s, volumes(name, "2Gi", nil))
			before := claimSizes(t, client, s.Namespace)
			if len(before) != len(volumeNames(name)) {
				t.Fatalf("the store has the claims %v", before)
			}
			for _, other := range []map[string]any{
				volumes(name, "3Gi", nil),
				volumes(name, "3Gi", map[string]any{"expandVolumes": true}), // the class does not allow it
				volumes(name, "1Gi", map[string]any{"storageClass": "another", "expandVolumes": true}),
			} {
				devApply(t, s, other)
				if diff := cmp.Diff(before, claimSizes(t, client, s.Namespace)); diff != "" {
					t.Errorf("%v changed the volumes (-before +after):\n%s", other, diff)
				}
			}
		})
	}
}

// TestTheExistingVolumeDecidesHowPodsAreReplaced: a replacement that is started beside a pod on another node would wait for a volume that only one node can have.
func TestTheExistingVolumeDecidesHowPodsAreReplaced(t *testing.T) {
	client := devClient(t)
	for _, name := range engine.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := devStore(t, client, name)
			devApply(t, s, nil)
			devApply(t, s, map[string]any{"persistence": map[string]any{"data": map[string]any{"accessMode": "ReadWriteMany"}}})
			deployment, err := client.AppsV1().Deployments(s.Namespace).Get(t.Context(), "shop-1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := deployment.Spec.Strategy.Type; got != appsv1.RecreateDeploymentStrategyType {
				t.Errorf("pods on the ReadWriteOnce volume that exists are replaced by %s", got)
			}
		})
	}
}

func TestVolumesGrowWhereTheirClassAllowsIt(t *testing.T) {
	client := devClient(t)
	class := growingClass(t, client)
	s := devStore(t, client, "woocommerce")
	devApply(t, s, volumes("woocommerce", "1Gi", map[string]any{"storageClass": class}))
	claimSizes(t, client, s.Namespace)
	for _, step := range []struct {
		size, want string
		expand     bool
	}{{"2Gi", "1Gi", false}, {"2Gi", "2Gi", true}, {"1500Mi", "2Gi", true}, {"2.5Gi", "2560Mi", true}} {
		devApply(t, s, volumes("woocommerce", step.size, map[string]any{"expandVolumes": step.expand}))
		want := map[string]string{class + "/shop-1-data": step.want, class + "/shop-1-mariadb": step.want}
		if diff := cmp.Diff(want, claimSizes(t, client, s.Namespace)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", step, diff)
		}
	}
}

// TestVolumesOutliveTheRelease: whether a store's data goes is decided by who deletes the store, not by Helm; and a
// release made anew takes the volumes that are there.
func TestVolumesOutliveTheRelease(t *testing.T) {
	client := devClient(t)
	for _, name := range engine.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := devStore(t, client, name)
			c := devApply(t, s, volumes(name, "2Gi", nil))
			before := claimSizes(t, client, s.Namespace)
			if err := c.Releases.Remove(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, claimSizes(t, client, s.Namespace)); diff != "" {
				t.Errorf("removing the release changed the volumes (-before +after):\n%s", diff)
			}
			devApply(t, s, nil)
			if diff := cmp.Diff(before, claimSizes(t, client, s.Namespace)); diff != "" {
				t.Errorf("a new release changed the volumes (-before +after):\n%s", diff)
			}
		})
	}
}

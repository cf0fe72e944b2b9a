//go:build devcluster

package cluster

import (
	"context"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

func TestReleasesApplyFromEveryStatus(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	changed := map[string]any{"message": "changed"}
	cases := []struct {
		name     string
		before   func(*testing.T, provision.Store)
		values   map[string]any
		revision int
	}{
		{"none: install", func(*testing.T, provision.Store) {}, nil, 1},
		{"deployed and equal: nothing", func(t *testing.T, s provision.Store) { apply(t, c, s, nil) }, nil, 1},
		{"deployed and different: upgrade", func(t *testing.T, s provision.Store) { apply(t, c, s, nil) }, changed, 2},
		{"failed: upgrade", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			leave(t, c, s, release.StatusFailed)
		}, nil, 2},
		{"pending-install with objects: upgrade", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			leave(t, c, s, release.StatusPendingInstall)
		}, nil, 2},
		{"pending-install without objects: upgrade", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			leave(t, c, s, release.StatusPendingInstall)
			deleteObjects(t, c, s)
		}, nil, 2},
		{"pending-upgrade: upgrade", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			apply(t, c, s, changed)
			leave(t, c, s, release.StatusPendingUpgrade)
		}, nil, 3},
		{"unknown: upgrade", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			leave(t, c, s, release.StatusUnknown)
		}, nil, 2},
		{"superseded without a deployed one: upgrade", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			leave(t, c, s, release.StatusSuperseded)
		}, nil, 2},
		{"uninstalling: uninstall and install", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			apply(t, c, s, changed)
			leave(t, c, s, release.StatusUninstalling)
		}, nil, 1},
		{"uninstalled: install", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			leave(t, c, s, release.StatusUninstalled)
			deleteObjects(t, c, s)
		}, nil, 1},
		{"a first install that ended between its objects: install again", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			leaveUnchecked(t, c, s)
		}, nil, 1},
		{"deployed, an object was deleted by hand: upgrade", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			deleteObjects(t, c, s)
		}, nil, 2},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := prepared(t, c)
			tc.before(t, s)
			apply(t, c, s, tc.values)
			last := lastRecord(t, c, s)
			if last == nil || last.Info.Status != release.StatusDeployed || last.Version != tc.revision {
				t.Fatalf("the last release is %s, want revision %d deployed", sketch(last), tc.revision)
			}
			want := "from the chart"
			if tc.values != nil {
				want = "changed"
			}
			if found, there := getConfigMap(t, c, s, s.Name); !there || found.Data["message"] != want {
				t.Errorf("config map is there: %t, message %q, want %q", there, found.Data["message"], want)
			}
		})
	}
}

func TestReleasesRemoveFromEveryStatus(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	for _, status := range []release.Status{"", release.StatusDeployed, release.StatusFailed, release.StatusPendingInstall,
		release.StatusPendingUpgrade, release.StatusUninstalling, release.StatusUnknown, release.StatusSuperseded} {
		t.Run("from "+string(status), func(t *testing.T) {
			t.Parallel()
			s := prepared(t, c)
			if status != "" {
				apply(t, c, s, nil)
				leave(t, c, s, status)
			}
			for range 2 { // the second time there is nothing, which is success
				if err := c.Releases.Remove(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if last := lastRecord(t, c, s); last != nil {
				t.Errorf("a release is left: %s", sketch(last))
			}
			if _, there := getConfigMap(t, c, s, s.Name); there {
				t.Error("the config map is left")
			}
		})
	}
}

func TestReleasesApplyRecordsTheTimeOncePerGeneration(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	first := apply(t, c, s, nil)
	if again := apply(t, c, s, nil); !again.Equal(first) {
		t.Errorf("the generation's release was applied at %s and then at %s", first, again)
	}
	s.Generation = 2
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if next := apply(t, c, s, nil); !next.After(first) {
		t.Errorf("the next generation's release was applied at %s, the first's at %s", next, first)
	}
}

// TestReleasesApplyAgainByForce: what Helm and the API server hold may be wrong in a way that no comparison shows.
func TestReleasesApplyAgainByForce(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	revisions := func() int {
		list, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	apply(t, c, s, nil)
	for want, force := range [][]provision.Force{1: nil, 2: {provision.ForceApply}} {
		if want == 0 {
			continue
		}
		s.Force = force
		apply(t, c, s, nil)
		if got := revisions(); got != want {
			t.Errorf("with force %v there are %d revisions, want %d", force, got, want)
		}
	}
}

func TestReleasesApplyKeepsThreeRevisions(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	for _, message := range []string{"1", "2", "3", "4", "5"} {
		apply(t, c, s, map[string]any{"message": message})
	}
	list, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 3 {
		t.Errorf("%d records, want 3", len(list.Items))
	}
}

func TestReleasesApplyErrors(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	cases := []struct {
		name   string
		before func(*testing.T, provision.Store)
		values map[string]any
		code   provision.Code
		says   string
	}{
		{"a foreign object", func(t *testing.T, s provision.Store) {
			foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: s.Name}}
			if _, err := c.api.Clientset.CoreV1().ConfigMaps(s.Namespace).Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}, nil, provision.CodeConflict, `ConfigMap "shop"`},
		{"a quota", func(t *testing.T, s provision.Store) {
			forbid(t, c, s, "count/services")
		}, nil, provision.CodeQuota, "exceeded quota: none"},
		{"a quota, on upgrade", func(t *testing.T, s provision.Store) {
			apply(t, c, s, nil)
			forbid(t, c, s, "count/configmaps")
		}, map[string]any{"extraName": "more"}, provision.CodeQuota, "exceeded quota: none"},
		{"an object that the API server finds invalid", func(*testing.T, provision.Store) {},
			map[string]any{"nodeSelector": map[string]any{"disk": "a value with blanks"}}, provision.CodeInvalid, "nodeSelector"},
		{"one that it finds invalid on upgrade", func(t *testing.T, s provision.Store) { apply(t, c, s, nil) },
			map[string]any{"size": "128Mi"}, provision.CodeInvalid, "StatefulSet shop-db: spec"},
		{"a newer generation", func(t *testing.T, s provision.Store) {
			s.Generation = 9
			if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}, nil, provision.CodeSuperseded, "generation 9"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := prepared(t, c)
			tc.before(t, s)
			_, err := c.Releases.Apply(t.Context(), s, tinyRelease(s, tc.values))
			wantCode(t, err, tc.code)
			if !strings.Contains(provision.Public(err), tc.says) {
				t.Errorf("%q does not say %q", provision.Public(err), tc.says)
			}
			if strings.Contains(provision.Public(err), "127.0.0.1") {
				t.Errorf("%q holds an address", provision.Public(err))
			}
		})
	}
}

func TestReleasesApplyRepairsAFailedInstall(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	forbid(t, c, s, "count/services")
	_, err := c.Releases.Apply(t.Context(), s, tinyRelease(s, nil))
	wantCode(t, err, provision.CodeQuota)
	allow(t, c, s, "count/services")
	apply(t, c, s, nil)
	if last := lastRecord(t, c, s); last.Version != 1 || last.Info.Status != release.StatusDeployed || last.Labels["orchestrator/unchecked"] != "" {
		t.Errorf("the last release is %s with labels %v, want revision 1 deployed, without the mark of a first install", sketch(last), last.Labels)
	}
}

// TestAFirstInstallTakesNothingOver: it does not look whether its objects exist, and so must find out from what the API server refuses; and so must the
// run after one that ended in the middle.
func TestAFirstInstallTakesNothingOver(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	for _, died := range []bool{false, true} {
		s := prepared(t, c)
		if died {
			apply(t, c, s, nil)
			leaveUnchecked(t, c, s)
			if err := c.api.Clientset.CoreV1().ConfigMaps(s.Namespace).Delete(t.Context(), s.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: s.Name}, Data: map[string]string{"message": "of another"}}
		if _, err := c.api.Clientset.CoreV1().ConfigMaps(s.Namespace).Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err := c.Releases.Apply(t.Context(), s, tinyRelease(s, nil))
			wantCode(t, err, provision.CodeConflict)
		}
		if found, _ := getConfigMap(t, c, s, s.Name); found.Data["message"] != "of another" || len(found.Labels) > 0 {
			t.Errorf("after a dead run: %v: the object of another is now %v %v", died, found.Labels, found.Data)
		}
		if err := c.api.Clientset.CoreV1().ConfigMaps(s.Namespace).Delete(t.Context(), s.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		apply(t, c, s, nil)
		if found, _ := getConfigMap(t, c, s, s.Name); found.Data["message"] != "from the chart" {
			t.Errorf("after a dead run: %v: the store's own object is %v", died, found.Data)
		}
	}
}

// leaveUnchecked leaves the newest record as a first install does whose run died among its objects.
func leaveUnchecked(t *testing.T, c *Cluster, s provision.Store) {
	t.Helper()
	last := lastRecord(t, c, s)
	last.Labels["orchestrator/unchecked"] = "true"
	last.SetStatus(release.StatusPendingInstall, "left by the test")
	if err := records(c, s).Update(last); err != nil {
		t.Fatal(err)
	}
}

func deleteObjects(t *testing.T, c *Cluster, s provision.Store) {
	t.Helper()
	ctx, none := context.Background(), metav1.DeleteOptions{}
	for name, err := range map[string]error{
		"config map":  c.api.Clientset.CoreV1().ConfigMaps(s.Namespace).Delete(ctx, s.Name, none),
		"service":     c.api.Clientset.CoreV1().Services(s.Namespace).Delete(ctx, s.Name, none),
		"deployment":  c.api.Clientset.AppsV1().Deployments(s.Namespace).Delete(ctx, s.Name, none),
		"statefulset": c.api.Clientset.AppsV1().StatefulSets(s.Namespace).Delete(ctx, s.Name+"-db", none),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func sketch(r *release.Release) string {
	if r == nil {
		return "none"
	}
	return r.Name + " revision " + string(rune('0'+r.Version)) + " " + r.Info.Status.String()
}

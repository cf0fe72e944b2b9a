package engine_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// forEachVariant runs f for every variant, rendered.
func forEachVariant(t *testing.T, f func(t *testing.T, v variant, r rendered)) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) { f(t, v, render(t, v)) })
	}
}

func TestGolden(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		file := filepath.Join("testdata", v.name+".yaml")
		if *update {
			if err := os.WriteFile(file, r.manifest(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(r.manifest())); diff != "" {
			t.Errorf("%s differs; run the test with -update if that is meant (-want +got):\n%s", file, diff)
		}
	})
}

func TestEqualStoresGiveEqualReleases(t *testing.T) {
	for _, v := range variants() {
		later := v.store
		later.Generation++
		if diff := cmp.Diff(releaseOf(t, v.store), releaseOf(t, later)); diff != "" {
			t.Errorf("%s: the release depends on the generation:\n%s", v.name, diff)
		}
	}
}

func TestSchemaRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, name := range engine.Names() {
		for _, wrong := range []map[string]any{
			{"mystery": true},
			{"common": map[string]any{"mystery": true}},
			{"common": map[string]any{"store": map[string]any{"url": "https://user:pw@shop.example.com"}}},
			{"common": map[string]any{"storeLabel": ""}},
			{"images": map[string]any{"mystery": map[string]any{"repository": "x", "tag": "1"}}},
			{"global": map[string]any{"anything": "x"}},
		} {
			values := chartutil.MergeTables(wrong, releaseOf(t, store(name, wanted)).Values)
			merged, err := chartutil.CoalesceValues(chartOf(t, name, "production"), values)
			if err != nil {
				t.Fatal(err)
			}
			if err := chartutil.ValidateAgainstSchema(chartOf(t, name, "production"), merged); err == nil {
				t.Errorf("%s: the schema accepts %v", name, wrong)
			}
		}
	}
}

func TestStoreLabelIsEverywhere(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		want := provision.StoreLabel(v.store.StoreID)
		for _, object := range r.objects {
			if got := object.GetLabels()[provision.LabelStore]; got != want {
				t.Errorf("%T %s has the store label %q, want %q", object, object.GetName(), got, want)
			}
			if object.GetNamespace() != "" && object.GetNamespace() != v.store.Namespace {
				t.Errorf("%T %s is in the namespace %s", object, object.GetName(), object.GetNamespace())
			}
		}
		for name, pod := range r.pods {
			if got := pod.Labels[provision.LabelStore]; got != want {
				t.Errorf("the pods of %s have the store label %q, want %q", name, got, want)
			}
		}
	})
}

func TestNoHooks(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		for _, hook := range r.release.Hooks {
			t.Errorf("%s %s is a hook: it would hold up an install that nobody waits for", hook.Kind, hook.Name)
		}
	})
}

func TestShopServiceIsNamedAsTheRelease(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		service := r.services[v.store.Name]
		if service == nil {
			t.Fatalf("there is no Service %s", v.store.Name)
		}
		shop := r.pods["Deployment/"+v.store.Name]
		for key, value := range service.Spec.Selector {
			if shop.Labels[key] != value {
				t.Errorf("the Service selects %s=%s, the shop's pods have %q", key, value, shop.Labels[key])
			}
		}
		if p := service.Spec.Ports[0]; p.Name != "http" || p.TargetPort.StrVal != "http" {
			t.Errorf("the Service's port is %v, want one called http that leads to the port called http", p)
		}
		backend := r.ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service
		if r.ingress.Spec.Rules[0].Host != v.store.Host || backend.Name != v.store.Name || backend.Port.Name != "http" {
			t.Errorf("the Ingress leads %s to %v", r.ingress.Spec.Rules[0].Host, backend)
		}
	})
}

func TestLongNamesStayValid(t *testing.T) {
	for _, name := range engine.Names() {
		s := store(name, wanted)
		s.Name = strings.Repeat("a", 39) + "-" + strings.Repeat("b", 13)
		for _, object := range render(t, variant{engine: name, env: "production", store: s}).objects {
			// A StatefulSet's name and eleven characters more are a label's value.
			if most := 52; object.GetName() != s.Name && len(object.GetName()) > most {
				t.Errorf("%s: %T %s has more than %d characters", name, object, object.GetName(), most)
			}
		}
	}
}

func TestSettingsArriveUnharmed(t *testing.T) {
	for _, title := range []string{
		`He said "no" and 'yes'`, `{{ .Values.common.credentialsSecret }}`, `$(STORE_ADMIN_PASSWORD) $STORE_URL $$`, "`id`",
		`100% off, %s %d`, `🛒 ショップ`, `- yaml: [trap]`, `# no comment`, `null`, `0123`, `true`, `C:\temp\new`, `<script>alert(1)</script>`, ` spaces `,
		`'; DROP TABLE wp_users; --`, `--admin_password=x`, strings.Repeat("ü", 200),
	} {
		for _, name := range engine.Names() {
			v := variant{engine: name, env: "production", store: store(name, provision.Settings{Title: title, AdminEmail: `o'neil+{{x}}$(y)@example.org`})}
			settings := settingsOf(t, render(t, v))
			if settings["STORE_TITLE"] != title {
				t.Errorf("%s: the title %q arrives as %q", name, title, settings["STORE_TITLE"])
			}
			if settings["STORE_ADMIN_EMAIL"] != v.store.Settings.AdminEmail {
				t.Errorf("%s: the address arrives as %q", name, settings["STORE_ADMIN_EMAIL"])
			}
		}
	}
}

// settingsOf returns what the bootstrap gets from its envFrom, which Kubernetes does not expand.
func settingsOf(t *testing.T, r rendered) map[string]string {
	t.Helper()
	var found map[string]string
	r.containers(func(where, kind string, c corev1.Container) {
		for _, from := range c.EnvFrom {
			if found != nil || kind != "init" || from.ConfigMapRef == nil || from.Prefix != "" {
				t.Errorf("%s takes its environment from %v", where, from)
				continue
			}
			found = r.configs[from.ConfigMapRef.Name].Data
		}
		for _, env := range c.Env {
			if len(c.EnvFrom) == 0 {
				break
			}
			if _, shadowed := found[env.Name]; shadowed {
				t.Errorf("%s hides the setting %s", where, env.Name)
			}
		}
	})
	if found == nil {
		t.Fatal("no container reads the settings")
	}
	return found
}

func TestScriptsArriveUnharmed(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		files, err := charts.Load(charts.FS, v.engine)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			folder, name := filepath.Split(f.Name)
			if config := r.configs["shop-1-"+strings.TrimSuffix(folder, "/")]; config != nil && config.Data[name] != string(f.Data) {
				t.Errorf("%s differs in its ConfigMap (-want +got):\n%s", f.Name, cmp.Diff(string(f.Data), config.Data[name]))
			}
		}
	})
}

func TestChangedSettingsRollTheShop(t *testing.T) {
	for _, name := range engine.Names() {
		template := func(s provision.Settings) (shop, rest any) {
			r := render(t, variant{engine: name, env: "production", store: store(name, s)})
			shop = r.pods["Deployment/shop-1"]
			delete(r.pods, "Deployment/shop-1")
			return shop, r.pods
		}
		shop1, rest1 := template(wanted)
		other := wanted
		other.Title += "!"
		shop2, rest2 := template(other)
		if cmp.Equal(shop1, shop2) {
			t.Errorf("%s: another title leaves the shop's pods as they are", name)
		}
		if diff := cmp.Diff(rest1, rest2); diff != "" {
			t.Errorf("%s: another title restarts more than the shop:\n%s", name, diff)
		}
	}
}

func TestLint(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), v.engine)
			files, err := charts.Load(charts.FS, v.engine)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				writeFile(t, filepath.Join(dir, filepath.FromSlash(f.Name)), f.Data)
			}
			values := chartutil.MergeTables(releaseOf(t, v.store).Values, v.extra)
			for _, m := range lint.All(dir, values, v.store.Namespace, true).Messages {
				if m.Severity > support.InfoSev {
					t.Error(m)
				}
			}
		})
	}
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestQuotaLeavesHeadroom: a pod that is being replaced is still counted while its successor is asked for.
func TestQuotaLeavesHeadroom(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			for prefix, of := range map[string]func(corev1.ResourceRequirements) corev1.ResourceList{
				"requests.": func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Requests },
				"limits.":   func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Limits },
			} {
				var sum, largest resource.Quantity
				for _, pod := range r.pods {
					need := podNeeds(pod.Spec, name, of)
					sum.Add(need)
					if need.Cmp(largest) > 0 {
						largest = need
					}
				}
				sum.Add(largest)
				if quota := r.quota.Spec.Hard[corev1.ResourceName(prefix+string(name))]; quota.Cmp(sum) < 0 {
					t.Errorf("the quota of %s%s is %s; all pods and the largest once more need %s", prefix, name, &quota, &sum)
				}
			}
		}
	})
}

// podNeeds counts a pod as a quota does: its containers together, or the largest of its init containers.
func podNeeds(pod corev1.PodSpec, name corev1.ResourceName, of func(corev1.ResourceRequirements) corev1.ResourceList) resource.Quantity {
	var sum resource.Quantity
	for _, c := range pod.Containers {
		sum.Add(of(c.Resources)[name])
	}
	for _, c := range pod.InitContainers {
		if need := of(c.Resources)[name]; need.Cmp(sum) > 0 {
			sum = need
		}
	}
	return sum
}

var pinned = regexp.MustCompile(`^[a-z0-9./_:-]+:[A-Za-z0-9_][A-Za-z0-9._-]*(@sha256:[0-9a-f]{64})?$`)

func TestImagesArePinnedAndFromOneRegistry(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		r.containers(func(where, _ string, c corev1.Container) {
			if !pinned.MatchString(c.Image) || strings.Contains(c.Image, "latest") {
				t.Errorf("%s runs %s, which is no pinned image", where, c.Image)
			}
			if from := "registry.example.com/mirror/"; strings.HasPrefix(c.Image, from) != (v.extra != nil) {
				t.Errorf("%s runs %s: every image comes from the registry that is set, or none", where, c.Image)
			}
		})
	})
}

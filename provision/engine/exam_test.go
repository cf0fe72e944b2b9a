package engine_test

import (
	"flag"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// renderedVariants holds each variant by its name, since rendering is most of what the exam takes. No test changes one.
var renderedVariants = map[string]rendered{}

// forEachVariant runs f for every variant, rendered, one after the other.
func forEachVariant(t *testing.T, f func(t *testing.T, v variant, r rendered)) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			r, done := renderedVariants[v.name]
			if !done {
				r = render(t, v)
				renderedVariants[v.name] = r
			}
			f(t, v, r)
		})
	}
}

func TestGolden(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		file := filepath.Join("testdata", v.name+".yaml")
		if *update {
			if err := os.WriteFile(file, r.golden(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(r.golden())); diff != "" {
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
		for name, pod := range r.allPods() {
			if got := pod.Labels[provision.LabelStore]; got != want {
				t.Errorf("the pods of %s have the store label %q, want %q", name, got, want)
			}
		}
	})
}

// TestOnlyTestsAreHooks: the worker does not wait for the hooks of an install or an upgrade. What `helm test` runs must
// be there.
func TestOnlyTestsAreHooks(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		for _, hook := range r.hooks {
			if !slices.Equal(hook.Events, []release.HookEvent{release.HookTest}) {
				t.Errorf("%s %s is a hook of %v", hook.Kind, hook.Name, hook.Events)
			}
		}
		if len(r.tests) == 0 || len(r.tests) != len(r.hooks) {
			t.Errorf("%d of %d hooks are test pods", len(r.tests), len(r.hooks))
		}
		for name, pod := range r.tests {
			if pod.Spec.RestartPolicy != corev1.RestartPolicyNever || pod.Spec.ActiveDeadlineSeconds == nil {
				t.Errorf("the test %s may run for ever", name)
			}
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
		if r.ingress == nil && len(r.routes) == 0 && !v.store.RestoreTest {
			t.Error("nothing leads to the shop")
		}
		if r.ingress != nil {
			backend := r.ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service
			if r.ingress.Spec.Rules[0].Host != v.store.Host || backend.Name != v.store.Name || backend.Port.Name != "http" {
				t.Errorf("the Ingress leads %s to %v", r.ingress.Spec.Rules[0].Host, backend)
			}
		}
		for _, route := range r.routes {
			backend := route.Spec.Rules[0].BackendRefs[0]
			if !slices.Equal(route.Spec.Hostnames, []string{v.store.Host}) || backend.Name != v.store.Name || backend.Port != service.Spec.Ports[0].Port {
				t.Errorf("the HTTPRoute leads %v to %v", route.Spec.Hostnames, backend)
			}
		}
	})
}

// oldNameRule is RFC 1035's, to which Kubernetes holds a Service's name until 1.36, and the charts hold all names.
var oldNameRule = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)

func TestNamesOfObjectsStayValid(t *testing.T) {
	for _, v := range variants() {
		for _, name := range []string{"1", strings.Repeat("a", 39) + "-" + strings.Repeat("b", 13), strings.Repeat("7", 50) + "-77"} {
			v.store.Name = name
			release := v.store.ReleaseName()
			for _, object := range render(t, v).objects {
				// A StatefulSet's name and eleven characters more are a label's value.
				if most := 52; object.GetName() != release && len(object.GetName()) > most {
					t.Errorf("%s: %T %s has more than %d characters", v.name, object, object.GetName(), most)
				}
				if len(release) > 53 || !oldNameRule.MatchString(object.GetName()) {
					t.Errorf("%s: a store named %s: %T %s", v.name, name, object, object.GetName())
				}
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

// settingsOf returns what the bootstrap gets from its envFrom, which Kubernetes does not expand. It runs in an init container, or in the shop's
// own before that listens.
func settingsOf(t *testing.T, r rendered) map[string]string {
	t.Helper()
	var found map[string]string
	r.containers(func(where, kind string, c corev1.Container) {
		if kind == "test" || kind == "job" {
			return
		}
		for _, from := range c.EnvFrom {
			if found != nil || from.ConfigMapRef == nil || from.Prefix != "" {
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
		for file, data := range filesOf(t, v.engine) {
			folder, name := path.Split(file)
			if config := r.configs["shop-1-"+strings.TrimSuffix(folder, "/")]; config != nil && config.Data[name] != string(data) {
				t.Errorf("%s differs in its ConfigMap (-want +got):\n%s", file, cmp.Diff(string(data), config.Data[name]))
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

// TestLint: Helm's linter reads a folder, with the library where `helm dependency build` would put it.
func TestLint(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), v.engine)
			for file, data := range filesOf(t, v.engine) {
				writeFile(t, filepath.Join(dir, filepath.FromSlash(file)), data)
			}
			for file, data := range filesOf(t, charts.Common) {
				writeFile(t, filepath.Join(dir, "charts", charts.Common, filepath.FromSlash(file)), data)
			}
			for _, m := range lint.All(dir, valuesOf(t, v), v.store.Namespace, true).Messages {
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

// TestQuotaLeavesHeadroom: a pod that is being replaced is still counted while its successor is asked for, every Deployment
// may have one more while it is rolled out, and `helm test` comes on top. It is not more than twice of that, or than that and
// the charts' headroom.
func TestQuotaLeavesHeadroom(t *testing.T) {
	headroom := headroomOf(t)
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		pods := map[string]int{}
		count := 0
		for name := range r.allPods() {
			if strings.HasPrefix(name, "Job/") {
				continue
			}
			pods[name] = max(1, int(r.replicas[name]))
			if strings.HasPrefix(name, "Deployment/") {
				pods[name]++
			}
			count += pods[name]
		}
		if most := r.quota.Spec.Hard[corev1.ResourcePods]; most.Value() < int64(count+1) {
			t.Errorf("the quota allows %s pods, and there may be %d and one of a job", &most, count)
		}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			for prefix, of := range map[string]func(corev1.ResourceRequirements) corev1.ResourceList{
				"requests.": func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Requests },
				"limits.":   func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Limits },
			} {
				var sum resource.Quantity
				for where, pod := range r.allPods() {
					for range pods[where] {
						sum.Add(podNeeds(pod.Spec, name, of))
					}
				}
				sum.Add(largestJob(r, name, of))
				quota := r.quota.Spec.Hard[corev1.ResourceName(prefix+string(name))]
				if quota.Cmp(sum) < 0 {
					t.Errorf("the quota of %s%s is %s; all pods and one more of each Deployment need %s", prefix, name, &quota, &sum)
				}
				most := sum.DeepCopy()
				most.Add(headroom[name])
				sum.Add(sum)
				if quota.Cmp(sum) > 0 && quota.Cmp(most) > 0 {
					t.Errorf("the quota of %s%s is %s, more than twice of what is needed", prefix, name, &quota)
				}
			}
		}
	})
}

// largestJob is what jobs need: there is one at a time, since each has the store's lease.
func largestJob(r rendered, name corev1.ResourceName, of func(corev1.ResourceRequirements) corev1.ResourceList) (most resource.Quantity) {
	for _, pod := range r.jobs {
		if need := podNeeds(pod.Spec, name, of); need.Cmp(most) > 0 {
			most = need
		}
	}
	return most
}

// headroomOf is what the charts' quotas add to the pods' own needs.
func headroomOf(t *testing.T) corev1.ResourceList {
	t.Helper()
	common, err := readValues(charts.FS, "store/"+charts.Common+"/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	headroom := common["headroom"].(map[string]any)
	return corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(headroom["cpu"].(string)),
		corev1.ResourceMemory: resource.MustParse(headroom["memory"].(string)),
	}
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

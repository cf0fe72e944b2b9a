package engine_test

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/engine"
)

// variant is one way that a store may come to be installed.
type variant struct {
	name   string
	engine string
	env    string
	store  provision.Store
	extra  map[string]any // the installation's values, over the environment's
}

// variants are all registered engines in all environments, with settings and without, behind a gateway, and with each file
// ci/values-*.yaml of the engine's chart.
func variants() []variant {
	var all []variant
	for _, name := range engine.Names() {
		for _, env := range []string{"development", "production"} {
			all = append(all,
				variant{name: name + "-" + env, engine: name, env: env, store: store(name, provision.Settings{})},
				variant{name: name + "-" + env + "-settings", engine: name, env: env, store: store(name, wanted), extra: installation})
		}
		all = append(all,
			variant{name: name + "-production-route", engine: name, env: "production", store: store(name, wanted), extra: values(installation, gateway)})
		suspended := store(name, wanted)
		suspended.Suspended = true
		all = append(all, variant{name: name + "-production-suspended", engine: name, env: "production", store: suspended, extra: installation})
		restoring := store(name, wanted)
		restoring.Restoring = true
		all = append(all, variant{name: name + "-production-restoring", engine: name, env: "production", store: restoring, extra: installation})
		test := store(name, wanted)
		test.RestoreTest = true
		all = append(all, variant{name: name + "-production-restore-test", engine: name, env: "production", store: test, extra: values(installation, gateway)})
		all = append(all, chartVariants(name)...)
	}
	return all
}

// chartVariants are those that only this engine's chart has. They are named after their files.
func chartVariants(name string) []variant {
	folder := "store/" + name + "/ci/"
	files, err := fs.Glob(charts.FS, folder+"values-*.yaml")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	var all []variant
	for _, file := range files {
		extra, err := readValues(charts.FS, file)
		if err != nil {
			panic(fmt.Sprintf("%s: %v", file, err))
		}
		short := strings.TrimSuffix(strings.TrimPrefix(file, folder+"values-"), ".yaml")
		all = append(all, variant{name: name + "-production-" + short, engine: name, env: "production", store: store(name, wanted), extra: values(installation, extra)})
	}
	return all
}

func readValues(fsys fs.FS, file string) (values map[string]any, err error) {
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	return values, yaml.Unmarshal(text, &values)
}

var (
	wanted = provision.Settings{
		Title: "Käthes Laden", AdminEmail: "kaethe@example.org", Currency: "CHF", Country: "AT", Locale: "de_AT", SampleProduct: true,
	}
	installation = map[string]any{"common": map[string]any{
		"image":         map[string]any{"registry": "registry.example.com/mirror", "pullSecrets": []any{"pull"}},
		"storageClass":  "fast",
		"scheduling":    map[string]any{"nodeSelector": map[string]any{"pool": "stores"}, "tolerations": []any{map[string]any{"key": "stores", "operator": "Exists"}}},
		"ingress":       map[string]any{"className": "public", "annotations": map[string]any{"cert-manager.io/cluster-issuer": "letsencrypt"}},
		"networkPolicy": map[string]any{"ingressNamespaces": []any{"ingress"}},
	}}
	gateway = map[string]any{"common": map[string]any{
		"ingress": map[string]any{"enabled": false},
		"route": map[string]any{
			"enabled":     true,
			"annotations": map[string]any{"example.com/owner": "stores"},
			"parentRefs":  []any{map[string]any{"name": "public", "namespace": "gateways", "sectionName": "https"}},
		},
	}}
	shared = map[string]any{"persistence": map[string]any{"data": map[string]any{"accessMode": "ReadWriteMany"}}}
)

// values lays values over each other, the last ones on top, and leaves each as it is.
func values(layers ...map[string]any) map[string]any {
	all := map[string]any{}
	for _, layer := range slices.Backward(layers) {
		all = chartutil.MergeTables(all, copyOf(layer))
	}
	return all
}

func copyOf(values map[string]any) map[string]any {
	copied := maps.Clone(values)
	for key, value := range values {
		if table, ok := value.(map[string]any); ok {
			copied[key] = copyOf(table)
		}
	}
	return copied
}

func store(engineName string, settings provision.Settings) provision.Store {
	return provision.Store{Generation: 7, Request: provision.Request{
		StoreID: "store-1", Name: "shop-1", Engine: engineName, Namespace: "store-1", Host: "shop-1.example.com",
		StoreURL: "https://shop-1.example.com/", Action: provision.OpProvision, Settings: settings,
	}}
}

func releaseOf(t testing.TB, s provision.Store) provision.Release {
	t.Helper()
	r, err := engine.All()[s.Engine].Release(s)
	if err != nil {
		t.Fatalf("Release: %v", err)
	}
	return r
}

// rendered is what the worker would send to a cluster, each object as its own type; unknown fields are errors.
type rendered struct {
	manifest string          // all objects but the hooks, in the order in which Helm installs them
	hooks    []*release.Hook // the tests
	objects  []metav1.Object
	pods     map[string]corev1.PodTemplateSpec // by <kind>/<name>
	replicas map[string]int32                  // of each of pods
	tests    map[string]*corev1.Pod            // what only `helm test` runs
	jobs     map[string]*corev1.Pod            // what the worker makes beside the release, by the job's name
	budgets  []*policyv1.PodDisruptionBudget
	routes   []*httpRoute
	services map[string]*corev1.Service
	configs  map[string]*corev1.ConfigMap
	claims   []*corev1.PersistentVolumeClaim
	quota    *corev1.ResourceQuota
	limits   []*corev1.LimitRange
	policies []*networkingv1.NetworkPolicy
	ingress  *networkingv1.Ingress
}

// httpRoute is as much of the Gateway API's HTTPRoute as the charts use.
type httpRoute struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ParentRefs []struct{ Group, Kind, Namespace, Name, SectionName string } `json:"parentRefs"`
		Hostnames  []string                                                     `json:"hostnames"`
		Rules      []struct {
			Matches []struct {
				Path struct{ Type, Value string } `json:"path"`
			} `json:"matches"`
			BackendRefs []struct {
				Group  string `json:"group"`
				Kind   string `json:"kind"`
				Name   string `json:"name"`
				Port   int32  `json:"port"`
				Weight int32  `json:"weight"`
			} `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
}

func render(t testing.TB, v variant) rendered {
	t.Helper()
	r, err := tryRender(t, v)
	if err != nil {
		t.Fatalf("the chart does not render: %v", err)
	}
	return r
}

// renderFiles renders a release with the worker's own code, on the charts of fsys and with the installation's values; the result
// is by template.
func renderFiles(fsys fs.FS, env string, installation map[string]any, s provision.Store, r provision.Release) (map[string]string, error) {
	return helm.Render(helm.Charts{FS: fsys, Env: env, Values: installation}, s, r)
}

func tryRender(t testing.TB, v variant) (rendered, error) {
	t.Helper()
	files, err := renderFiles(charts.FS, v.env, v.extra, v.store, releaseOf(t, v.store))
	if err != nil {
		return rendered{}, err
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return rendered{}, err
	}
	r := rendered{
		hooks: hooks, pods: map[string]corev1.PodTemplateSpec{}, replicas: map[string]int32{},
		services: map[string]*corev1.Service{}, configs: map[string]*corev1.ConfigMap{}, tests: map[string]*corev1.Pod{}, jobs: map[string]*corev1.Pod{},
	}
	for _, m := range manifests {
		r.manifest += "---\n# Source: " + m.Name + "\n" + m.Content + "\n"
		if err := r.add([]byte(m.Content)); err != nil {
			return r, fmt.Errorf("%w in\n%s", err, m.Content)
		}
	}
	for _, hook := range hooks {
		if err := r.add([]byte(hook.Manifest)); err != nil {
			return r, fmt.Errorf("%w in the hook\n%s", err, hook.Manifest)
		}
	}
	for _, name := range jobs {
		job, err := helm.RenderJob(helm.Charts{FS: charts.FS, Env: v.env, Values: v.extra}, v.store, releaseOf(t, v.store), name)
		if err != nil {
			return r, err
		}
		r.jobs[name] = job
	}
	return r, nil
}

// jobs are those that every engine has.
var jobs = []string{"rotate", "backup", "restore"}

func decoded(t testing.TB, document []byte) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

// valuesOf returns the values that the chart's templates see, as the worker merges them: an additional template prints them.
func valuesOf(t testing.TB, v variant) map[string]any {
	t.Helper()
	const template = "templates/all-values.yaml"
	fsys := fstest.MapFS{"store/" + v.engine + "/" + template: {Data: []byte("{{ toYaml .Values }}")}}
	for _, name := range []string{v.engine, charts.Common} {
		for file, data := range filesOf(t, name) {
			fsys["store/"+name+"/"+file] = &fstest.MapFile{Data: data}
		}
	}
	files, err := renderFiles(fsys, v.env, v.extra, v.store, releaseOf(t, v.store))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(files[v.engine+"/"+template]), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// filesOf returns the files of a chart's folder by their names in it.
func filesOf(t testing.TB, name string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := "store/" + name + "/"
	err := fs.WalkDir(charts.FS, "store/"+name, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[strings.TrimPrefix(file, root)], err = fs.ReadFile(charts.FS, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// add decodes one document into its type.
func (r *rendered) add(document []byte) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil || kind.Kind == "" {
		return err
	}
	object, ok := map[string]metav1.Object{
		"ServiceAccount": &corev1.ServiceAccount{}, "ResourceQuota": &corev1.ResourceQuota{}, "LimitRange": &corev1.LimitRange{},
		"NetworkPolicy": &networkingv1.NetworkPolicy{}, "ConfigMap": &corev1.ConfigMap{}, "Service": &corev1.Service{},
		"Ingress": &networkingv1.Ingress{}, "Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{},
		"PersistentVolumeClaim": &corev1.PersistentVolumeClaim{}, "PodDisruptionBudget": &policyv1.PodDisruptionBudget{},
		"HTTPRoute": &httpRoute{}, "Pod": &corev1.Pod{},
	}[kind.Kind]
	if !ok {
		return fmt.Errorf("unexpected kind %s", kind.Kind)
	}
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return err
	}
	r.objects = append(r.objects, object)
	switch o := object.(type) {
	case *appsv1.Deployment:
		r.pods["Deployment/"+o.Name], r.replicas["Deployment/"+o.Name] = o.Spec.Template, *o.Spec.Replicas
	case *appsv1.StatefulSet:
		r.pods["StatefulSet/"+o.Name], r.replicas["StatefulSet/"+o.Name] = o.Spec.Template, *o.Spec.Replicas
		if len(o.Spec.VolumeClaimTemplates) > 0 {
			return fmt.Errorf("StatefulSet %s has claim templates, which no upgrade can change", o.Name)
		}
	case *corev1.Service:
		r.services[o.Name] = o
	case *corev1.ConfigMap:
		r.configs[o.Name] = o
	case *corev1.PersistentVolumeClaim:
		r.claims = append(r.claims, o)
	case *corev1.ResourceQuota:
		r.quota = o
	case *corev1.LimitRange:
		r.limits = append(r.limits, o)
	case *networkingv1.NetworkPolicy:
		r.policies = append(r.policies, o)
	case *networkingv1.Ingress:
		r.ingress = o
	case *corev1.Pod:
		r.tests[o.Name] = o
	case *policyv1.PodDisruptionBudget:
		r.budgets = append(r.budgets, o)
	case *httpRoute:
		r.routes = append(r.routes, o)
	}
	return nil
}

// allPods are the pods of the workloads, of the tests and of the jobs, by <kind>/<name>.
func (r rendered) allPods() map[string]corev1.PodTemplateSpec {
	all := maps.Clone(r.pods)
	for name, pod := range r.tests {
		all["Pod/"+name] = corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	}
	for name, pod := range r.jobs {
		all["Job/"+name] = corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	}
	return all
}

// containers calls f with each container of each pod; kind is "init", "main", "test" or "job".
func (r rendered) containers(f func(where, kind string, c corev1.Container)) {
	all := r.allPods()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		kind := "main"
		if strings.HasPrefix(name, "Pod/") {
			kind = "test"
		}
		if strings.HasPrefix(name, "Job/") {
			kind = "job"
		}
		for _, c := range all[name].Spec.InitContainers {
			f(name+"/"+c.Name, "init", c)
		}
		for _, c := range all[name].Spec.Containers {
			f(name+"/"+c.Name, kind, c)
		}
	}
}

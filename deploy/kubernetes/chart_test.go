// Package kubernetes_test holds the tests of the service's own chart: what it renders, what it refuses, that it agrees with
// the code, and, with the tag devcluster, what its service accounts can and cannot do.
package kubernetes_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files and the README's table anew")

const folder = "orchestrator"

type values = map[string]any

// variants are the ways to install the chart that are looked at.
func variants(t testing.TB) map[string]values {
	return map[string]values{
		"least":      {"backend": values{"url": "https://backend.example.com/api"}, "existingSecret": "orchestrator"},
		"tryout":     readValues(t, "testdata/tryout.yaml"),
		"everything": readValues(t, "testdata/everything.yaml"),
	}
}

func readValues(t testing.TB, file string) values {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v values
	if err := yaml.UnmarshalStrict(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func load(t testing.TB) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rendered is the chart's objects by template, as `helm template` would show them, notes and all.
func rendered(t testing.TB, release, namespace string, v values) (map[string]string, error) {
	t.Helper()
	c := load(t)
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	top, err := chartutil.ToRenderValues(c, v, options, chartutil.DefaultCapabilities.Copy())
	if err != nil {
		return nil, err
	}
	return engine.Render(c, top)
}

// render is what is sent to the cluster, in the order of the templates' names.
func render(t testing.TB, release, namespace string, v values) []*unstructured.Unstructured {
	t.Helper()
	templates, err := rendered(t, release, namespace, v)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(templates[name]), 4096)
		for {
			object := &unstructured.Unstructured{}
			if decoder.Decode(&object.Object) != nil {
				break
			}
			if len(object.Object) > 0 {
				objects = append(objects, object)
			}
		}
	}
	return objects
}

// find is the object of a kind whose name ends with a suffix.
func find(t testing.TB, objects []*unstructured.Unstructured, kind, suffix string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == kind && strings.HasSuffix(o.GetName(), suffix) {
			return o
		}
	}
	t.Fatalf("the chart renders no %s that is called …%s", kind, suffix)
	return nil
}

// as reads an object into its type.
func as[T any](t testing.TB, o *unstructured.Unstructured) *T {
	t.Helper()
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, typed, true); err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return typed
}

func TestChartGolden(t *testing.T) {
	for name, v := range variants(t) {
		var text bytes.Buffer
		for _, o := range render(t, "orchestrator", "shops", v) {
			document, err := yaml.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&text, "---\n%s", document)
		}
		file := filepath.Join("testdata", "golden", name+".yaml")
		if *update {
			if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text.String()); diff != "" {
			t.Errorf("%s differs; run the test with -update if that is meant (-want +got):\n%s", file, diff)
		}
	}
}

func TestChartPassesHelmLint(t *testing.T) {
	for name, v := range variants(t) {
		linter := lint.AllWithKubeVersion(folder, v, "shops", &chartutil.DefaultCapabilities.KubeVersion)
		for _, m := range linter.Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

func TestValuesSchemaRefusesInvalidValues(t *testing.T) {
	for name, c := range map[string]struct {
		wrong values
		says  string
	}{
		"nothing":                    {values{"backend": values{"url": ""}}, "/backend/url"},
		"unknown":                    {values{"mystery": true}, "mystery"},
		"unknown inside":             {values{"worker": values{"replicaCount": 2}}, "replicaCount"},
		"registry with scheme":       {values{"image": values{"registry": "https://registry.example.com"}}, "/image/registry"},
		"credentials in URL":         {values{"backend": values{"url": "https://user:pw@backend"}}, "/backend/url"},
		"no secret":                  {values{"existingSecret": ""}, "set existingSecret"},
		"secret in the environment":  {values{"worker": values{"env": values{"ORCHESTRATOR_TOKEN": "x"}}}, "ORCHESTRATOR_TOKEN"},
		"users in the environment":   {values{"monitor": values{"env": values{"ORCH_MONITOR_USERS_FILE": "/x"}}}, "ORCH_MONITOR_USERS_FILE"},
		"shorter than the drain":     {values{"worker": values{"terminationGracePeriodSeconds": 60}}, "terminationGracePeriodSeconds"},
		"no worker":                  {values{"worker": values{"replicas": 0}}, "/worker/replicas"},
		"two scalers":                {values{"worker": values{"keda": values{"enabled": true, "prometheus": "http://x"}, "autoscaling": values{"enabled": true, "metrics": []any{values{}}}}}, "/worker"},
		"KEDA without a source":      {values{"worker": values{"keda": values{"enabled": true}}}, "/worker/keda/prometheus"},
		"ingress without host":       {values{"ingest": values{"ingress": values{"enabled": true}}}, "/ingest/ingress/host"},
		"peer that is no peer":       {values{"networkPolicy": values{"ingestFrom": []any{"all"}}}, "/networkPolicy/ingestFrom"},
		"everything in stores":       {storeRule("*", "get"), "extraStoreRules"},
		"roles in stores":            {storeRule("rolebindings", "create"), "extraStoreRules"},
		"exec in stores":             {storeRule("pods/exec", "create"), "extraStoreRules"},
		"all verbs in stores":        {storeRule("jobs", "*"), "extraStoreRules"},
		"certificate out of nowhere": {values{"redisTLS": values{"clientCertificate": true}}, "/redisTLS/secretName"},
		"images of none":             {values{"prepull": values{"enabled": true}}, "/prepull/images"},
		"a gate without its secret":  {values{"backupGate": values{"enabled": true}}, "/backupGate/existingSecret"},
		"the storage in the clear":   {values{"backupGate": values{"env": values{"ORCH_BACKUP_STORAGE": "http://gate:x@storage"}}}, "ORCH_BACKUP_STORAGE"},
		"password for a URL":         {values{"secrets": values{"redisPassword": "a/b@c"}}, "/secrets/redisPassword"},
	} {
		_, err := rendered(t, "orchestrator", "shops", chartutil.MergeTables(c.wrong, variants(t)["least"]))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %s", name, err, c.says)
		}
	}
}

func storeRule(resource, verb string) values {
	return values{"rbac": values{"extraStoreRules": []any{values{"apiGroups": []any{"batch"}, "resources": []any{resource}, "verbs": []any{verb}}}}}
}

// pods are the chart's pod templates by name.
func pods(t testing.TB, objects []*unstructured.Unstructured) map[string]corev1.PodSpec {
	t.Helper()
	found := map[string]corev1.PodSpec{}
	for _, o := range objects {
		spec, has, err := unstructured.NestedMap(o.Object, "spec", "template", "spec")
		if o.GetKind() == "Pod" {
			spec, has, err = unstructured.NestedMap(o.Object, "spec")
		}
		if err != nil {
			t.Fatal(err)
		}
		if has {
			found[o.GetName()] = *as[corev1.PodSpec](t, &unstructured.Unstructured{Object: spec})
		}
	}
	return found
}

func TestPodsAreRestricted(t *testing.T) {
	for name, v := range variants(t) {
		for pod, spec := range pods(t, render(t, "orchestrator", "shops", v)) {
			security := spec.SecurityContext
			if security == nil || !*security.RunAsNonRoot || security.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: pod %s may run as root or without seccomp", name, pod)
			}
			if token := *spec.AutomountServiceAccountToken; token != strings.HasSuffix(pod, "-worker") {
				t.Errorf("%s: pod %s has a token: %t", name, pod, token)
			}
			for _, c := range spec.Containers {
				s := c.SecurityContext
				if !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
					t.Errorf("%s: pod %s is not restricted", name, pod)
				}
				if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
					t.Errorf("%s: pod %s has no requests or no limits", name, pod)
				}
			}
		}
	}
}

func TestRoleBindingsAreTheWorkersAlone(t *testing.T) {
	for name, v := range variants(t) {
		for _, o := range render(t, "orchestrator", "shops", v) {
			if !strings.HasSuffix(o.GetKind(), "RoleBinding") {
				continue
			}
			subjects, _, _ := unstructured.NestedSlice(o.Object, "subjects")
			if len(subjects) != 1 || subjects[0].(map[string]any)["name"] != "orchestrator-worker" {
				t.Errorf("%s: %s %s binds %v", name, o.GetKind(), o.GetName(), subjects)
			}
		}
	}
}

// The monitor refuses to start where both say who may log in.
func TestMonitorHasOneUserOrAFileOfThem(t *testing.T) {
	file := chartutil.MergeTables(values{"monitor": values{"usersSecret": "users"}, "secrets": values{"monitorUser": "", "monitorPassword": ""}}, variants(t)["tryout"])
	for name, c := range map[string]struct {
		v    values
		want []string
	}{
		"one user":        {variants(t)["tryout"], []string{"ORCH_MONITOR_PASSWORD", "ORCH_MONITOR_USER"}},
		"a file of users": {file, []string{"ORCH_MONITOR_USERS_FILE"}},
	} {
		objects := render(t, "orchestrator", "shops", c.v)
		var got []string
		for _, env := range pods(t, objects)["orchestrator-monitor"].Containers[0].Env {
			if strings.HasPrefix(env.Name, "ORCH_MONITOR_") && env.Name != "ORCH_MONITOR_ADDR" {
				got = append(got, env.Name)
			}
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: the pod has %v, want %v", name, got, c.want)
		}
		secret := as[corev1.Secret](t, find(t, objects, "Secret", "orchestrator"))
		if _, has := secret.StringData["ORCH_MONITOR_USER"]; has != slices.Contains(c.want, "ORCH_MONITOR_USER") {
			t.Errorf("%s: the Secret has a user: %t", name, has)
		}
	}
}

func TestSecretIsNotRenderedIfOneExists(t *testing.T) {
	for _, o := range render(t, "orchestrator", "shops", variants(t)["least"]) {
		if o.GetKind() == "Secret" {
			t.Errorf("secret %s is made beside the existing one", o.GetName())
		}
	}
}

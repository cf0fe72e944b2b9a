package kubernetes_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/cluster/helm"
	storeengine "orchestrator/provision/engine"
	"orchestrator/worker"
)

func TestTerminationGracePeriodCoversTheWorkersDrain(t *testing.T) {
	spec := pods(t, render(t, "orchestrator", "shops", variants(t)["least"]))["orchestrator-worker"]
	if grace := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second; grace < worker.ShutdownTimeout+10*time.Second {
		t.Errorf("a worker may take %s to stop, its pod is killed after %s", worker.ShutdownTimeout, grace)
	}
	shortest := int((worker.ShutdownTimeout + 10*time.Second) / time.Second)
	wrong := variants(t)["least"]
	wrong["worker"] = values{"terminationGracePeriodSeconds": shortest - 1}
	if _, err := rendered(t, "orchestrator", "shops", wrong); err == nil {
		t.Errorf("the schema lets a worker's pod be killed after %d seconds", shortest-1)
	}
}

// TestOldestKubernetesIsTheOneThatIsTested: what the chart claims to run on is what make test-oldest runs it on.
func TestOldestKubernetesIsTheOneThatIsTested(t *testing.T) {
	for file, pattern := range map[string]string{
		"../devcluster/oldest/go.mod": `k8s\.io/kubernetes v1\.(\d+)\.`,
		"orchestrator/Chart.yaml":     `kubeVersion: ">=1\.(\d+)\.0-0"`,
		"../../docs/kubernetes.md":    `requires Kubernetes 1\.(\d+) or later`,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if match := regexp.MustCompile(pattern).FindSubmatch(text); match == nil || string(match[1]) != "30" {
			t.Errorf("%s names %q as the oldest Kubernetes, want 1.30", file, match)
		}
	}
}

// variable finds the variables that a binary is configured by.
var variable = regexp.MustCompile(`env:"([A-Z_]+)`)

func TestChartSetsOnlyVariablesThatTheBinariesRead(t *testing.T) {
	known := map[string]bool{"REDIS_PASSWORD": true} // the chart's own, inside of REDIS_URL
	for _, pattern := range []string{"../../cmd/*/config.go", "../../cmd/internal/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, error %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range variable.FindAllStringSubmatch(string(text), -1) {
				known[match[1]] = true
			}
		}
	}
	for name, v := range variants(t) {
		for pod, spec := range pods(t, render(t, "orchestrator", "shops", v)) {
			for _, env := range spec.Containers[0].Env {
				if !known[env.Name] {
					t.Errorf("%s: pod %s has the variable %s, which no binary reads", name, pod, env.Name)
				}
			}
		}
	}
}

func TestPoliciesUseTheLabelsOfTheCode(t *testing.T) {
	policies, err := rendered(t, "orchestrator", "shops", variants(t)["least"])
	if err != nil {
		t.Fatal(err)
	}
	text := policies["orchestrator/templates/policies.yaml"]
	if n := strings.Count(text, "[?'"+provision.LabelStore+"']"); n != 3 {
		t.Errorf("the policies ask %d times for the label %s, want 3", n, provision.LabelStore)
	}
	if label := provision.StoreLabel("x"); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(label) || !strings.Contains(text, "'^[0-9a-f]{32}$'") {
		t.Errorf("the policies do not take the label's value %s", label)
	}
}

// storeObjects are the objects of all engines' stores, as large as values can make them.
func storeObjects(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	extra := map[string]any{"common": map[string]any{"ingress": map[string]any{"enabled": true}}}
	for _, name := range storeengine.Names() {
		for _, env := range []string{"development", "production"} {
			s := provision.Store{Generation: 1, Request: provision.Request{StoreID: "s", Name: "s", Engine: name, Namespace: "s",
				Host: "s.example.com", StoreURL: "https://s.example.com"}}
			release, err := storeengine.All()[name].Release(s)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := helm.Render(helm.Charts{FS: charts.FS, Env: env, Values: extra}, s, release)
			if err != nil {
				t.Fatal(err)
			}
			for template, text := range objects {
				all[name+env+template] = text
			}
		}
	}
	return all
}

// kindLine finds the kinds of objects in templates and in what they render.
var kindLine = regexp.MustCompile(`(?m)^kind: ([A-Za-z]+)$`)

func TestStoreRoleCoversEveryKindOfTheStoreCharts(t *testing.T) {
	role := as[rbacv1.ClusterRole](t, find(t, render(t, "orchestrator", "shops", variants(t)["least"]), "ClusterRole", "-store"))
	texts := storeObjects(t)
	err := filepath.Walk("../../charts/store", func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && strings.Contains(path, "templates") {
			text, err := os.ReadFile(path)
			texts[path] = string(text)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for where, text := range texts {
		for _, match := range kindLine.FindAllStringSubmatch(text, -1) {
			kind := match[1]
			if kind == "Pod" && strings.Contains(text, "helm.sh/hook") {
				continue // a test of the chart, which a person runs
			}
			seen[kind] = true
			for _, verb := range []string{"get", "create", "patch", "delete"} { // what Helm needs
				if !allows(role.Rules, resourceOf(kind), verb) {
					t.Errorf("%s: the role has no right to %s %s", where, verb, resourceOf(kind))
				}
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("the stores' charts seem to consist of %v only", seen)
	}
}

func resourceOf(kind string) string {
	plural := strings.ToLower(kind) + "s"
	if before, ok := strings.CutSuffix(plural, "ys"); ok {
		plural = before + "ies"
	}
	return strings.Replace(plural, "ingresss", "ingresses", 1)
}

func allows(rules []rbacv1.PolicyRule, resource, verb string) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, verb)
	})
}

func TestRolesGrantNothingDangerous(t *testing.T) {
	for name, v := range variants(t) {
		for _, o := range render(t, "orchestrator", "shops", v) {
			if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
				continue
			}
			for _, rule := range as[rbacv1.ClusterRole](t, o).Rules {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						if why := dangerous(strings.HasSuffix(o.GetName(), "-store"), resource, verb, rule.ResourceNames); why != "" {
							t.Errorf("%s: role %s may %s %s: %s", name, o.GetName(), verb, resource, why)
						}
					}
				}
			}
		}
	}
}

func dangerous(inStore bool, resource, verb string, names []string) string {
	switch {
	case resource == "*" || verb == "*":
		return "everything"
	case slices.Contains([]string{"pods/exec", "pods/attach", "serviceaccounts/token", "nodes/proxy", "roles"}, resource):
		return "no component needs it"
	case verb == "escalate" || verb == "impersonate":
		return "that is every right there is"
	case verb == "bind" && len(names) != 1:
		return "any role could be bound"
	case !inStore && (resource == "secrets" || resource == "configmaps"):
		return "not outside of a store"
	case resource == "rolebindings" && verb != "get" && verb != "create":
		return "bindings are never changed"
	}
	return ""
}

// Kubernetes puts $(NAME) into the arguments of the process, where others on the node see it.
func TestNoSecretBecomesAnArgument(t *testing.T) {
	for name, v := range variants(t) {
		for pod, spec := range pods(t, render(t, "orchestrator", "shops", v)) {
			for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
				if words := strings.Join(slices.Concat(c.Command, c.Args), " "); strings.Contains(words, "$(") {
					t.Errorf("%s: container %s of %s is started with %s", name, c.Name, pod, words)
				}
			}
		}
	}
}

// metricName finds the names of metrics in texts.
var metricName = regexp.MustCompile(`orchestrator_[a-z]+(?:_[a-z]+)+`)

// An alarm on a metric that does not exist is never raised.
func TestAlarmsAndDocsNameMetricsThatExist(t *testing.T) {
	registered := map[string]bool{}
	for _, name := range metricNames(t, "docs/metrics.md") { // which a test of cmd/internal/workerapp holds to the code
		registered[name] = true
	}
	used := slices.Concat(metricNames(t, "deploy/kubernetes/orchestrator/*/*.yaml"), metricNames(t, "docs/*.md"), metricNames(t, "docs/decisions/*.md"), metricNames(t, "README.md"))
	if len(registered) < 8 || len(used) < 10 {
		t.Fatalf("only %d metrics are found in the code and %d in texts", len(registered), len(used))
	}
	for _, name := range used {
		if !registered[name] && !registered[strings.TrimSuffix(name, "_count")] && !registered[strings.TrimSuffix(name, "_bucket")] {
			t.Errorf("%s is in the alarms or the docs, and no code registers it", name)
		}
	}
}

func metricNames(t testing.TB, pattern string) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../../" + pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, metricName.FindAllString(string(text), -1)...)
	}
	return names
}

func TestREADMEDocumentsEveryValue(t *testing.T) {
	const file, begin, end = folder + "/README.md", "<!-- values -->\n", "<!-- end of values -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	want := valuesTable(t)
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != want {
		t.Error("the table of values is not that of values.yaml; run the test with -update")
	}
}

// valuesTable reads the values' comments: "# -- text" before the key that it describes.
func valuesTable(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(folder + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	table := "| value | default | what |\n|---|---|---|\n"
	var path []string
	about := ""
	for _, line := range strings.Split(string(text), "\n") {
		key, value, isKey := strings.Cut(strings.TrimSpace(line), ":")
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		switch {
		case strings.HasPrefix(key, "# -- "):
			about = strings.TrimPrefix(strings.TrimSpace(line), "# -- ")
		case strings.HasPrefix(key, "#") || !isKey || len(path) < depth:
		default:
			path = append(path[:depth], key)
			if about != "" {
				table += fmt.Sprintf("| `%s` | `%s` | %s |\n", strings.Join(path, "."), cmp.Or(strings.TrimSpace(value), "see values.yaml"), about)
			}
			about = ""
		}
	}
	return table
}

func TestNetworkPoliciesSelectEveryPod(t *testing.T) {
	objects := render(t, "orchestrator", "shops", variants(t)["everything"])
	deny := find(t, objects, "NetworkPolicy", "-deny")
	selector, _, _ := unstructured.NestedStringMap(deny.Object, "spec", "podSelector", "matchLabels")
	for _, o := range objects {
		labels, has, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels")
		if o.GetKind() == "Pod" {
			labels, has = o.GetLabels(), true
		}
		if !has {
			continue
		}
		for key, value := range selector {
			if labels[key] != value {
				t.Errorf("%s %s is not denied anything", o.GetKind(), o.GetName())
			}
		}
		if component := labels["app.kubernetes.io/component"]; component != "prepull" { // which asks for nothing
			find(t, objects, "NetworkPolicy", "-"+component)
		}
	}
}

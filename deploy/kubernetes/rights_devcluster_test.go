//go:build devcluster

package kubernetes_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/cluster"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"
	storeengine "orchestrator/provision/engine"
)

// TestRolesAreExactlyWhatStoresNeed provisions, changes, rotates and deletes a store of each engine as the worker's service
// account. Nothing may be refused, and no right may be left over.
func TestRolesAreExactlyWhatStoresNeed(t *testing.T) {
	i := install(t)
	kubeconfig, asked := i.watched("worker")
	small, large := i.runs(kubeconfig, everyObject), i.runs(kubeconfig, largerVolumes)
	for _, engine := range storeengine.Names() {
		i.life(small, large, engine)
	}
	for _, what := range asked.refused {
		t.Errorf("refused: %s", what)
	}
	i.noRightLeftOver(asked)
}

// everyObject are values with which the stores' charts make objects of all their kinds that the development cluster knows.
var everyObject = map[string]any{"common": map[string]any{"ingress": map[string]any{"enabled": true}}}

// largerVolumes ask for more than before, where the storage class allows that.
var largerVolumes = map[string]any{
	"common":      map[string]any{"ingress": map[string]any{"enabled": true}, "expandVolumes": true},
	"persistence": map[string]any{"data": map[string]any{"size": "100Gi"}},
}

// workerRun runs stores as the worker's service account does.
type workerRun struct {
	*cluster.Cluster
	runner *provision.Runner
}

func (i *installation) runs(kubeconfig string, values map[string]any) workerRun {
	i.t.Helper()
	k, err := cluster.Connect(cluster.Config{
		API:       kube.Config{Kubeconfig: kubeconfig, Log: slog.New(slog.NewTextHandler(i.t.Output(), nil))},
		Charts:    helm.Charts{FS: charts.FS, Env: "production", Values: values},
		StoreRole: i.role, Installation: cluster.Named(i.name()),
	})
	i.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	i.t.Cleanup(func() { cancel(); k.Close() })
	i.must(k.Start(ctx))
	runner := &provision.Runner{Engines: storeengine.All(), ReadinessTimeout: 2 * time.Minute, DeleteTimeout: 2 * time.Minute}
	k.Fill(runner)
	return workerRun{k, runner}
}

// life makes a store, changes it while its volumes are to grow, gives it another password, reads that, and deletes it twice.
func (i *installation) life(small, large workerRun, engine string) {
	i.t.Helper()
	id := "rights-" + strings.ToLower(rand.Text()[:8])
	s := provision.Store{Generation: 1, Request: provision.Request{StoreID: id, Name: id, Engine: engine, Namespace: id,
		Host: id + ".localhost", StoreURL: "https://" + id + ".localhost", Action: provision.OpProvision}}
	i.t.Cleanup(func() { _ = i.admin.CoreV1().Namespaces().Delete(context.Background(), id, metav1.DeleteOptions{}) })
	run := func(op provision.Op, by workerRun) {
		i.t.Helper()
		start := time.Now()
		if err := by.runner.Run(i.t.Context(), op, s, func(provision.Step) {}); err != nil {
			i.t.Fatalf("%s of a %s store: %v", op, engine, err)
		}
		i.t.Logf("%s of a %s store took %s", op, engine, time.Since(start).Round(time.Millisecond))
		s.Generation++
	}
	run(provision.OpProvision, small)
	s.Settings.Title = "Another title"
	s.Force = []provision.Force{provision.ForceUpgrade}
	run(provision.OpProvision, large)
	s.Rotation = s.Generation
	run(provision.OpProvision, large)
	if found, err := large.runner.Audit(i.t.Context(), s, true); err != nil || len(found.Drift)+len(found.Repaired) > 0 {
		i.t.Errorf("an audit: %+v, %v", found, err)
	}
	if u, err := small.runner.Upgrade(i.t.Context(), s, anyTurn{}); err != nil || u.Result != provision.UpgradeDone {
		i.t.Errorf("an upgrade: %+v, %v", u, err)
	}
	if _, err := large.Credentials.Password(i.t.Context(), s); err != nil {
		i.t.Error(err)
	}
	i.must(large.State.SaveOutcome(i.t.Context(), s, provision.Outcome{}))
	if _, err := large.State.ListStores(i.t.Context()); err != nil {
		i.t.Error(err)
	}
	run(provision.OpDelete, large)
	run(provision.OpDelete, large)
}

// spare are rights that this life does not need, and why they are there.
var spare = map[string]string{
	"create pods/portforward":       "where a proxy lets no WebSocket through, or, from Kubernetes 1.35 on, for a WebSocket too",
	"get pods/portforward":          "for a WebSocket on older clusters",
	"get httproutes":                "the development cluster has no Gateway API",
	"create httproutes":             "the same",
	"patch httproutes":              "the same",
	"delete httproutes":             "the same",
	"list events":                   "the last look before a store is FAILED",
	"list replicasets":              "the same",
	"delete persistentvolumeclaims": "Helm's, for a chart that does not keep its claims",
	"bind clusterroles":             "asked of the authorizer by the API server itself",
	"get poddisruptionbudgets":      "a store has one with more than one pod only",
	"create poddisruptionbudgets":   "the same", "patch poddisruptionbudgets": "the same", "delete poddisruptionbudgets": "the same",
}

func (i *installation) noRightLeftOver(a *asked) {
	i.t.Helper()
	objects := render(i.t, i.namespace, i.namespace, variants(i.t)["least"])
	for _, suffix := range []string{"-worker", "-store"} {
		for _, rule := range as[rbacv1.ClusterRole](i.t, find(i.t, objects, "ClusterRole", suffix)).Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					what := verb + " " + resource
					if !a.used[what] && spare[what] == "" && verb != "patch" {
						i.t.Errorf("the role %s gives the right to %s, which nothing used", suffix, what)
					}
				}
			}
		}
	}
}

// attempt is something that a worker in the wrong hands might try.
type attempt struct {
	name string
	try  func(ctx context.Context, c kubernetes.Interface) error
	by   string // what the refusal says: RBAC's "cannot", or a policy's message
}

const rbac = " cannot "

func TestRolesAndPoliciesRefuseEveryEscalation(t *testing.T) {
	i := install(t)
	worker := i.as("worker")
	store := i.store(worker)
	foreign := i.foreignNamespace()
	for _, a := range slices.Concat(i.outside(foreign), i.bindings(store, foreign), i.labels(store, foreign), i.otherInstallations(), i.inside(store), i.others()) {
		t.Run(a.name, func(t *testing.T) {
			err := a.try(t.Context(), worker)
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), a.by) {
				t.Errorf("error %v, want a refusal that says %q", err, a.by)
			}
		})
	}
	ns, err := i.admin.CoreV1().Namespaces().Get(t.Context(), store, metav1.GetOptions{})
	i.must(err)
	if ns.DeletionTimestamp != nil || ns.Labels["pod-security.kubernetes.io/enforce"] != "baseline" {
		t.Errorf("the store's namespace is %v", ns.ObjectMeta)
	}
}

func (i *installation) foreignNamespace() string {
	i.t.Helper()
	ns, err := i.admin.CoreV1().Namespaces().Create(i.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "foreign-"}}, metav1.CreateOptions{})
	i.must(err)
	i.t.Cleanup(func() {
		_ = i.admin.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{})
	})
	return ns.Name
}

// result drops what a call returns besides its error.
func result[T any](_ T, err error) error { return err }

var (
	get    metav1.GetOptions
	list   metav1.ListOptions
	create metav1.CreateOptions
)

func (i *installation) outside(foreign string) []attempt {
	all := []attempt{
		{"list the pods of a node", func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/kwok-0/proxy/pods").Do(ctx).Error()
		}, rbac},
		{"list all secrets", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Secrets("").List(ctx, list))
		}, rbac},
	}
	for _, ns := range []string{foreign, "kube-system", "default", i.namespace} {
		all = append(all, attempt{"read a secret in " + ns, func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Secrets(ns).Get(ctx, "any", get))
		}, rbac}, attempt{"create a pod in " + ns, func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Pods(ns).Create(ctx, pod(), create))
		}, rbac}, attempt{"write a config map in " + ns, func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, create))
		}, rbac}, attempt{"bind itself in " + ns, func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.RbacV1().RoleBindings(ns).Create(ctx, i.binding(i.role, i.worker()), create))
		}, "only in namespaces with the label"}, attempt{"delete the namespace " + ns, func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
		}, ""})
	}
	return all
}

func pod() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}}}
}

func (i *installation) bindings(store, foreign string) []attempt {
	bind := func(role string, subjects ...rbacv1.Subject) func(context.Context, kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.RbacV1().RoleBindings(store).Create(ctx, i.binding(role, subjects...), create))
		}
	}
	other := rbacv1.Subject{Kind: "ServiceAccount", Name: "default", Namespace: foreign}
	return []attempt{
		{"bind itself to cluster-admin", bind("cluster-admin", i.worker()), "attempting to grant"},
		{"bind itself to its own wide role", bind(i.namespace+"-worker", i.worker()), ""},
		{"bind another account", bind(i.role, other), "only itself"},
		{"bind another account beside itself", bind(i.role, i.worker(), other), "only itself"},
		{"bind every account", bind(i.role, rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:authenticated"}), "only itself"},
		{"bind no account", bind(i.role), "only itself"},
		{"change its binding", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.RbacV1().RoleBindings(store).Update(ctx, i.binding(i.role, i.worker(), other), metav1.UpdateOptions{}))
		}, rbac},
		{"make a role in a store", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.RbacV1().Roles(store).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, create))
		}, rbac},
		{"bind itself in the whole cluster", func(ctx context.Context, c kubernetes.Interface) error {
			b := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: i.namespace + "-x"}, Subjects: []rbacv1.Subject{i.worker()},
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: i.role}}
			return result(c.RbacV1().ClusterRoleBindings().Create(ctx, b, create))
		}, rbac},
		{"widen the store role", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.RbacV1().ClusterRoles().Patch(ctx, i.role, types.MergePatchType, []byte(`{"rules":[]}`), metav1.PatchOptions{}))
		}, rbac},
	}
}

func (i *installation) labels(store, foreign string) []attempt {
	patch := func(ns, labels string) func(context.Context, kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Namespaces().Patch(ctx, ns, types.MergePatchType, []byte(`{"metadata":{"labels":`+labels+`}}`), metav1.PatchOptions{}))
		}
	}
	create := func(name string, labels map[string]string) func(context.Context, kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, create))
		}
	}
	level, label, value := "pod-security.kubernetes.io/enforce", provision.LabelStore, provision.StoreLabel("x")
	return []attempt{
		{"label a foreign namespace", patch(foreign, `{"orchestrator/store":"`+value+`"}`), "no namespace but those"},
		{"label kube-system", patch("kube-system", `{"orchestrator/store":"`+value+`"}`), "no namespace but those"},
		{"annotate a foreign namespace", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Namespaces().Patch(ctx, foreign, types.MergePatchType, []byte(`{"metadata":{"annotations":{"a":"b"}}}`), metav1.PatchOptions{}))
		}, "no namespace but those"},
		{"strip a store's label", patch(store, `{"orchestrator/store":null}`), "from its creation to its end"},
		{"give a store's label away", patch(store, `{"orchestrator/store":"`+value+`"}`), "from its creation to its end"},
		{"make a namespace without label", create("escalation-1", map[string]string{level: "baseline"}), "without the label"},
		{"make one with an empty label", create("escalation-1", map[string]string{level: "baseline", label: ""}), "without the label"},
		{"make one of the system's", create("kube-escalation", map[string]string{level: "baseline", label: value}), "reserved"},
		{"make one with privileged pods", create("escalation-1", map[string]string{level: "privileged", label: value}), "baseline or restricted"},
		{"make one with any pods", create("escalation-1", map[string]string{label: value}), "baseline or restricted"},
		{"make one with old standards", create("escalation-1", map[string]string{label: value, level: "baseline", level + "-version": "v1.0"}), "version of the pod security"},
		{"allow privileged pods in a store", patch(store, `{"pod-security.kubernetes.io/enforce":"privileged"}`), "baseline or restricted"},
		{"allow any pods in a store", patch(store, `{"pod-security.kubernetes.io/enforce":null}`), "baseline or restricted"},
	}
}

func (i *installation) inside(store string) []attempt {
	return []attempt{
		{"execute in a store's pod", func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().RESTClient().Post().Resource("pods").Namespace(store).Name("x").SubResource("exec").Param("command", "id").Do(ctx).Error()
		}, rbac},
		{"attach to a store's pod", func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().RESTClient().Post().Resource("pods").Namespace(store).Name("x").SubResource("attach").Do(ctx).Error()
		}, rbac},
		{"add a container to a store's pod", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Pods(store).UpdateEphemeralContainers(ctx, "x", pod(), metav1.UpdateOptions{}))
		}, rbac},
		{"read a store's log", func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().RESTClient().Get().Resource("pods").Namespace(store).Name("x").SubResource("log").Do(ctx).Error()
		}, rbac},
		{"create a token of a store's account", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().ServiceAccounts(store).CreateToken(ctx, "default", &authenticationv1.TokenRequest{}, create))
		}, rbac},
		{"draw an outside address to a store", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Services(store).Create(ctx, service(corev1.ServiceSpec{ExternalIPs: []string{"192.0.2.1"}}), create))
		}, "no external addresses"},
		{"call a store by another's name", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().Services(store).Create(ctx, service(corev1.ServiceSpec{Type: "ExternalName", ExternalName: "a.b"}), create))
		}, "no external addresses"},
	}
}

func service(spec corev1.ServiceSpec) *corev1.Service {
	spec.Ports = []corev1.ServicePort{{Port: 80}}
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: spec}
}

func (i *installation) others() []attempt {
	admission := "/apis/admissionregistration.k8s.io/v1/"
	remove := func(path string) func(context.Context, kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().RESTClient().Delete().AbsPath(path).Do(ctx).Error()
		}
	}
	return []attempt{
		{"remove the policy about namespaces", remove(admission + "validatingadmissionpolicies/" + i.namespace + "-namespaces"), rbac},
		{"remove the policy about bindings", remove(admission + "validatingadmissionpolicies/" + i.namespace + "-rolebindings"), rbac},
		{"unbind the policy about bindings", remove(admission + "validatingadmissionpolicybindings/" + i.namespace + "-rolebindings"), rbac},
		{"change the policy about bindings", func(ctx context.Context, c kubernetes.Interface) error {
			return c.CoreV1().RESTClient().Patch(types.MergePatchType).AbsPath(admission + "validatingadmissionpolicies/" + i.namespace + "-rolebindings").
				Body([]byte(`{"spec":{"matchConditions":[]}}`)).Do(ctx).Error()
		}, rbac},
		{"remove a node", remove("/api/v1/nodes/kwok-0"), rbac},
		{"create a token of ingest's account", func(ctx context.Context, c kubernetes.Interface) error {
			return result(c.CoreV1().ServiceAccounts(i.namespace).CreateToken(ctx, i.namespace+"-ingest", &authenticationv1.TokenRequest{}, create))
		}, rbac},
		{"be an administrator", func(ctx context.Context, _ kubernetes.Interface) error {
			cfg := i.login("worker")
			cfg.Impersonate = rest.ImpersonationConfig{UserName: "admin", Groups: []string{"system:masters"}}
			return result(kubernetes.NewForConfigOrDie(cfg).CoreV1().Secrets("kube-system").List(ctx, list))
		}, rbac},
	}
}

// TestIngestAndMonitorMayDoNothing asks the authorizer about everything that the worker may do, and about everything.
func TestIngestAndMonitorMayDoNothing(t *testing.T) {
	i := install(t)
	for _, component := range []string{"ingest", "monitor"} {
		client := i.as(component)
		for _, what := range []authorizationv1.ResourceAttributes{
			{Verb: "list", Resource: "pods"}, {Verb: "get", Resource: "secrets", Namespace: i.namespace}, {Verb: "create", Resource: "namespaces"},
			{Verb: "get", Resource: "namespaces"}, {Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "rolebindings"}, {Verb: "*", Resource: "*", Group: "*"},
		} {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what}}
			answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, create)
			i.must(err)
			if answer.Status.Allowed {
				t.Errorf("%s may %s %s", component, what.Verb, what.Resource)
			}
		}
		if _, err := client.CoreV1().Namespaces().List(t.Context(), list); !apierrors.IsForbidden(err) {
			t.Errorf("%s lists the namespaces: %v", component, err)
		}
	}
}

// anyTurn permits every upgrade.
type anyTurn struct{}

func (anyTurn) Begin(context.Context, string, bool) (provision.UpgradeTerms, error) {
	return provision.UpgradeTerms{}, nil
}

func (anyTurn) BackedUp(context.Context, provision.Backup) error { return nil }

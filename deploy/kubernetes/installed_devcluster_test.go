//go:build devcluster

package kubernetes_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// installation is the chart's accounts, roles and policies in a real cluster, under names of their own.
type installation struct {
	t         *testing.T
	admin     *kubernetes.Clientset
	rest      *rest.Config
	namespace string
	role      string // the store role
}

func adminConfig(t *testing.T) *rest.Config {
	t.Helper()
	kubeconfig := os.Getenv("ORCH_TEST_KUBECONFIG")
	if kubeconfig == "" {
		t.Fatal("set ORCH_TEST_KUBECONFIG to the kubeconfig of a cluster that may be written to, such as deploy/devcluster's")
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	return cfg
}

// accounts are the kinds that an installation for the tests consists of.
var accounts = map[string]bool{"ServiceAccount": true, "ClusterRole": true, "ClusterRoleBinding": true,
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true}

func install(t *testing.T) *installation {
	t.Helper()
	name := "orchestrator-" + strings.ToLower(rand.Text()[:8])
	i := &installation{t: t, rest: adminConfig(t), namespace: name, role: name + "-store"}
	i.admin = kubernetes.NewForConfigOrDie(i.rest)
	i.must(i.admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}))
	t.Cleanup(func() { _ = i.admin.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}) })
	mapper, client := i.dynamic()
	objects := render(t, name, name, variants(t)["least"])
	for _, o := range objects {
		if !accounts[o.GetKind()] {
			continue
		}
		resource := i.resource(mapper, client, o)
		i.must(resource.Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "test"}))
		t.Cleanup(func() { _ = resource.Delete(context.Background(), o.GetName(), metav1.DeleteOptions{}) })
	}
	i.awaitPolicies(objects)
	return i
}

// must fails the test unless the last of a call's results is nil.
func (i *installation) must(results ...any) {
	i.t.Helper()
	if err := results[len(results)-1]; err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) dynamic() (meta.RESTMapper, *dynamic.DynamicClient) {
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(i.admin.Discovery()))
	return mapper, dynamic.NewForConfigOrDie(i.rest)
}

func (i *installation) resource(mapper meta.RESTMapper, client dynamic.Interface, o *unstructured.Unstructured) dynamic.ResourceInterface {
	i.t.Helper()
	kind := o.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	i.must(err)
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return client.Resource(mapping.Resource)
	}
	return client.Resource(mapping.Resource).Namespace(o.GetNamespace())
}

func (i *installation) worker() rbacv1.Subject {
	return rbacv1.Subject{Kind: "ServiceAccount", Name: i.namespace + "-worker", Namespace: i.namespace}
}

func (i *installation) binding(role string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "escalation"}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}
}

// login is a configuration that is the service account of a component, by a token as its pods have one.
func (i *installation) login(component string) *rest.Config {
	i.t.Helper()
	hour := int64(3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour}}
	token, err := i.admin.CoreV1().ServiceAccounts(i.namespace).CreateToken(i.t.Context(), i.namespace+"-"+component, request, metav1.CreateOptions{})
	i.must(err)
	cfg := rest.AnonymousClientConfig(i.rest)
	cfg.BearerToken, cfg.QPS = token.Status.Token, -1
	return cfg
}

func (i *installation) as(component string) *kubernetes.Clientset {
	return kubernetes.NewForConfigOrDie(i.login(component))
}

// store makes a store's namespace, as the worker does, and binds the worker in it.
func (i *installation) store(worker kubernetes.Interface) string {
	i.t.Helper()
	name := i.storeOf(worker, i.name())
	i.bindStoreRole(worker, name)
	return name
}

// name is the installation's, as the chart sets it.
func (i *installation) name() string { return i.namespace + "." + i.namespace }

// storeOf makes a namespace of an installation.
func (i *installation) storeOf(by kubernetes.Interface, installation string) string {
	i.t.Helper()
	name := "store-" + strings.ToLower(rand.Text()[:8])
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"orchestrator/store": strings.Repeat("0", 32), "pod-security.kubernetes.io/enforce": "baseline",
		"orchestrator/installation": installation,
	}}}
	i.must(by.CoreV1().Namespaces().Create(i.t.Context(), ns, metav1.CreateOptions{}))
	i.t.Cleanup(func() { _ = i.admin.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}) })
	return name
}

// asked is what a client asked of the API server, and what was refused.
type asked struct {
	mu      sync.Mutex
	used    map[string]bool // "verb resource"
	refused []string
}

// watched is a kubeconfig that leads to the API server by way of a proxy that notes what is asked.
func (i *installation) watched(component string) (kubeconfig string, a *asked) {
	i.t.Helper()
	login := i.login(component)
	a = &asked{used: map[string]bool{}}
	target, err := url.Parse(login.Host)
	i.must(err)
	transport, err := rest.TransportFor(&rest.Config{Host: login.Host, TLSClientConfig: rest.TLSClientConfig{CAData: login.CAData, CAFile: login.CAFile, NextProtos: []string{"http/1.1"}}})
	i.must(err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Set("Authorization", "Bearer "+login.BearerToken) // a client sends none over plain HTTP
		},
		Transport:     transport,
		FlushInterval: -1,
		ModifyResponse: func(res *http.Response) error {
			a.note(res.Request, res.StatusCode)
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	i.t.Cleanup(server.Close)
	raw := clientcmdapi.NewConfig()
	raw.Clusters["c"] = &clientcmdapi.Cluster{Server: server.URL}
	raw.AuthInfos["u"] = &clientcmdapi.AuthInfo{}
	raw.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	raw.CurrentContext = "x"
	kubeconfig = filepath.Join(i.t.TempDir(), "kubeconfig")
	i.must(clientcmd.WriteToFile(*raw, kubeconfig))
	return kubeconfig, a
}

func (a *asked) note(r *http.Request, status int) {
	what := whatIsAsked(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if status == http.StatusForbidden || status == http.StatusUnauthorized {
		a.refused = append(a.refused, fmt.Sprintf("%s (%s %s)", what, r.Method, r.URL.Path))
	}
	a.used[what] = true
}

// whatIsAsked is a request in the words of RBAC.
func whatIsAsked(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		return "discovery"
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	resource, named := parts[0], len(parts) > 1
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	verbs := map[string]string{http.MethodGet: "list", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "deletecollection"}
	verb := verbs[r.Method]
	switch {
	case r.URL.Query().Get("watch") == "true":
		verb = "watch"
	case named && r.Method == http.MethodGet:
		verb = "get"
	case named && r.Method == http.MethodDelete:
		verb = "delete"
	}
	return verb + " " + resource
}

func TestChartIsAcceptedByTheAPIServer(t *testing.T) {
	i := &installation{t: t, rest: adminConfig(t)}
	i.admin = kubernetes.NewForConfigOrDie(i.rest)
	mapper, client := i.dynamic()
	for name, v := range variants(t) {
		for _, o := range render(t, "orchestrator", "default", v) {
			group := o.GroupVersionKind().Group
			if strings.HasSuffix(group, "keda.sh") || strings.HasSuffix(group, "coreos.com") {
				continue // the development cluster has no such kinds
			}
			text, err := o.MarshalJSON()
			i.must(err)
			_, err = i.resource(mapper, client, o).Patch(t.Context(), o.GetName(), types.ApplyPatchType, text,
				metav1.PatchOptions{FieldManager: "test", FieldValidation: "Strict", DryRun: []string{metav1.DryRunAll}})
			if err != nil {
				t.Errorf("%s: %s %s: %v", name, o.GetKind(), o.GetName(), err)
			}
		}
	}
}

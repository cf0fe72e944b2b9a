package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
)

// fakeAPI stores objects by path, which is all that Helm and the steps need of an API server: no admission, no
// controllers, and a patch changes nothing. The tests with the tag devcluster use a real API server.
type fakeAPI struct {
	mu      sync.Mutex
	objects map[string]*unstructured.Unstructured
	writes  []string // method and path of each mutating request, in order
	reads   int
	version int
	// before is called first; a status other than 0 ends the request with it.
	before func(method, path string, mutating int) (status int)
	user   string      // the user's name, for reviews
	grants func() bool // result of an access review
}

var fakeKinds = map[string][]metav1.APIResource{
	"v1": {{Name: "namespaces", Kind: "Namespace"}, {Name: "configmaps", Kind: "ConfigMap", Namespaced: true},
		{Name: "services", Kind: "Service", Namespaced: true}, {Name: "pods", Kind: "Pod", Namespaced: true}, {Name: "events", Kind: "Event", Namespaced: true}, {Name: "secrets", Kind: "Secret", Namespaced: true},
		{Name: "persistentvolumeclaims", Kind: "PersistentVolumeClaim", Namespaced: true}},
	"apps/v1": {{Name: "deployments", Kind: "Deployment", Namespaced: true}, {Name: "replicasets", Kind: "ReplicaSet", Namespaced: true},
		{Name: "statefulsets", Kind: "StatefulSet", Namespaced: true}},
}

var statusKind = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}

// newFakeAPI starts the server and connects a Cluster to it.
func newFakeAPI(t *testing.T) (*fakeAPI, *Cluster) {
	t.Helper()
	api := &fakeAPI{objects: map[string]*unstructured.Unstructured{}}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	client, err := kube.New(kube.Config{Log: slog.New(slog.DiscardHandler)}, &rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	c, err := assemble(client, Config{Charts: helm.Charts{FS: tinyCharts()}})
	if err != nil {
		t.Fatal(err)
	}
	return api, c
}

// start runs the cluster's informers until the test ends.
func start(t *testing.T, c *Cluster) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); c.Close() })
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// answer sets before while there may be requests.
func (f *fakeAPI) answer(before func(method, path string, mutating int) (status int)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

func mutates(method string) bool { return method != http.MethodGet && method != http.MethodHead }

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") == "true" {
		f.watch(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if mutates(r.Method) {
		f.writes = append(f.writes, r.Method+" "+r.URL.Path)
	} else {
		f.reads++
	}
	if f.before != nil {
		if status := f.before(r.Method, r.URL.Path, len(f.writes)); status != 0 {
			answer(w, status, &metav1.Status{TypeMeta: statusKind, Status: "Failure", Code: int32(status), Message: fmt.Sprintf("the test says %d", status)})
			return
		}
	}
	if !f.discovery(w, r) && !f.review(w, r) {
		f.object(w, r)
	}
}

// watch shows no changes. It refuses to list in a watch, so that clients list before.
func (f *fakeAPI) watch(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		answer(w, 422, &metav1.Status{TypeMeta: statusKind, Status: "Failure", Code: 422, Reason: metav1.StatusReasonInvalid, Message: "list first"})
		return
	}
	<-r.Context().Done()
}

// review answers reviews of the user's name and permissions.
func (f *fakeAPI) review(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] {
	case "selfsubjectreviews":
		review := &authenticationv1.SelfSubjectReview{TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"}}
		review.Status.UserInfo.Username = f.user
		answer(w, 201, review)
	case "selfsubjectaccessreviews":
		review := &authorizationv1.SelfSubjectAccessReview{TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}}
		review.Status.Allowed = f.grants()
		answer(w, 201, review)
	default:
		return false
	}
	return true
}

func (f *fakeAPI) discovery(w http.ResponseWriter, r *http.Request) bool {
	group := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/"), "/apis/")
	switch {
	case r.URL.Path == "/version":
		answer(w, 200, map[string]string{"major": "1", "minor": "37", "gitVersion": "v1.37.0"})
	case r.URL.Path == "/api":
		answer(w, 200, &metav1.APIVersions{Versions: []string{"v1"}})
	case r.URL.Path == "/apis":
		v := metav1.GroupVersionForDiscovery{GroupVersion: "apps/v1", Version: "v1"}
		answer(w, 200, &metav1.APIGroupList{Groups: []metav1.APIGroup{{Name: "apps", Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}}})
	case fakeKinds[group] != nil:
		list := &metav1.APIResourceList{GroupVersion: group, APIResources: slices.Clone(fakeKinds[group])}
		for i := range list.APIResources {
			list.APIResources[i].Verbs = metav1.Verbs{"get", "list", "create", "update", "patch", "delete"}
		}
		answer(w, 200, list)
	default:
		return false
	}
	return true
}

func (f *fakeAPI) object(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	found := f.objects[path]
	switch {
	case r.Method == http.MethodPost:
		f.create(w, r)
	case found == nil && r.Method == http.MethodGet && collection(path) != nil:
		f.list(w, r)
	case found == nil:
		answer(w, 404, &metav1.Status{TypeMeta: statusKind, Status: "Failure", Code: 404, Reason: metav1.StatusReasonNotFound, Message: path + " not found"})
	case r.Method == http.MethodPut:
		f.replace(w, r, found)
	case r.Method == http.MethodDelete:
		delete(f.objects, path)
		answer(w, 200, &metav1.Status{TypeMeta: statusKind, Status: "Success"})
	default:
		answer(w, 200, found)
	}
}

func (f *fakeAPI) create(w http.ResponseWriter, r *http.Request) {
	object := body(r)
	path := r.URL.Path + "/" + object.GetName()
	if f.objects[path] != nil {
		answer(w, 409, &metav1.Status{TypeMeta: statusKind, Status: "Failure", Code: 409, Reason: metav1.StatusReasonAlreadyExists, Message: path + " already exists"})
		return
	}
	f.keep(path, object)
	answer(w, 201, object)
}

func (f *fakeAPI) replace(w http.ResponseWriter, r *http.Request, was *unstructured.Unstructured) {
	object := body(r)
	if read := object.GetResourceVersion(); read != "" && read != was.GetResourceVersion() {
		answer(w, 409, &metav1.Status{TypeMeta: statusKind, Status: "Failure", Code: 409, Reason: metav1.StatusReasonConflict, Message: "it was changed"})
		return
	}
	f.keep(r.URL.Path, object)
	answer(w, 200, object)
}

func (f *fakeAPI) keep(path string, object *unstructured.Unstructured) {
	f.version++
	object.SetResourceVersion(fmt.Sprint(f.version))
	object.SetUID("uid-" + object.GetUID())
	f.objects[path] = object
}

// collection returns the group, version and kind of the list at a path, nil for the path of an object.
func collection(path string) map[string]any {
	last := path[strings.LastIndex(path, "/")+1:]
	for version, kinds := range fakeKinds {
		for _, k := range kinds {
			if k.Name == last {
				return map[string]any{"apiVersion": version, "kind": k.Kind + "List"}
			}
		}
	}
	return nil
}

func (f *fakeAPI) list(w http.ResponseWriter, r *http.Request) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		panic(err)
	}
	list := &unstructured.UnstructuredList{Object: collection(r.URL.Path)}
	for _, path := range slices.Sorted(maps.Keys(f.objects)) {
		object := f.objects[path]
		if strings.HasPrefix(path, r.URL.Path+"/") && selector.Matches(labels.Set(object.GetLabels())) {
			list.Items = append(list.Items, *object)
		}
	}
	answer(w, 200, list)
}

func body(r *http.Request) *unstructured.Unstructured {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &object.Object); err != nil {
		panic(err)
	}
	return object
}

func answer(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what)
}

package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"orchestrator/provision"
)

const bindingPath = "/apis/rbac.authorization.k8s.io/v1/namespaces/store-1/rolebindings"

// newBoundAPI is a fake API server that grants permissions only after a binding, and only from the third review on.
func newBoundAPI(t *testing.T) (*fakeAPI, *Cluster) {
	t.Helper()
	api, c := newFakeAPI(t)
	c.Namespaces.rbac.role = "orchestrator-store"
	asked := 0
	api.user = "system:serviceaccount:shops:orchestrator-worker"
	api.grants = func() bool { asked++; return asked > 2 && len(api.bindings()) == 1 }
	return api, c
}

func (f *fakeAPI) bindings() []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for path, object := range f.objects {
		if strings.HasPrefix(path, bindingPath) {
			found = append(found, object)
		}
	}
	return found
}

func TestRoleBinderBindsANewNamespace(t *testing.T) {
	api, c := newBoundAPI(t)
	s := testStore(1)
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	found, err := c.api.Clientset.RbacV1().RoleBindings(s.Namespace).Get(t.Context(), "orchestrator-store:shops:orchestrator-worker", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "shops", Name: "orchestrator-worker"}}
	if found.RoleRef.Name != "orchestrator-store" || found.RoleRef.Kind != "ClusterRole" || !slices.Equal(found.Subjects, want) {
		t.Errorf("bound %+v to %+v", found.Subjects, found.RoleRef)
	}
	writes := len(api.writes)
	if writes != 6 { // namespace, user name, binding, and three access reviews
		t.Errorf("the writes are %q; want a wait for the permissions", api.writes)
	}
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil || len(api.writes) != writes {
		t.Errorf("error %v; a namespace that is bound was written: %q", err, api.writes[writes:])
	}
}

func TestRoleBinderBindsAnOlderNamespaceOnDelete(t *testing.T) {
	api, c := newBoundAPI(t)
	c.Namespaces.rbac.role = ""
	s := testStore(1)
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil || len(api.bindings()) != 0 {
		t.Fatalf("error %v, bindings %v", err, api.bindings())
	}
	c.Namespaces.rbac.role = "orchestrator-store"
	if namespaces, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, s); err != nil || len(namespaces) != 1 || len(api.bindings()) != 1 {
		t.Errorf("marked %v, error %v, bindings %v", namespaces, err, api.bindings())
	}
}

func TestRoleBinderSkipsATerminatingNamespace(t *testing.T) {
	api, c := newBoundAPI(t)
	s := testStore(1)
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	api.objects["/api/v1/namespaces/store-1"].SetDeletionTimestamp(&now)
	for path := range api.objects { // the namespace controller has started with the binding
		if strings.HasPrefix(path, bindingPath) {
			delete(api.objects, path)
		}
	}
	api.before = func(_, path string, _ int) int {
		if strings.Contains(path, "/secrets") || strings.Contains(path, "/persistentvolumeclaims") {
			return 403
		}
		return 0
	}
	namespaces, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, s)
	if err != nil || len(namespaces) != 1 || len(api.bindings()) != 0 {
		t.Fatalf("marked %v, error %v, bindings %v", namespaces, err, api.bindings())
	}
	if err := errors.Join(c.Releases.Remove(t.Context(), s), c.Volumes.Remove(t.Context(), s)); err != nil {
		t.Errorf("content of a terminating namespace was not skipped: %v", err)
	}
}

func TestRoleBinderRefusesADifferentBinding(t *testing.T) {
	_, c := newBoundAPI(t)
	other := bindingOf("orchestrator-store", subjectOf("system:serviceaccount:shops:orchestrator-worker"))
	other.Subjects[0].Name = "another"
	if _, err := c.api.Clientset.RbacV1().RoleBindings("store-1").Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := c.Namespaces.Ensure(t.Context(), testStore(1))
	wantCode(t, err, provision.CodeConflict)
}

func TestRoleBinderStopsWaitingWhenTheRunEnds(t *testing.T) {
	api, c := newBoundAPI(t)
	cause := provision.Errorf(provision.CodeSuperseded, "a newer request")
	ctx, cancel := context.WithCancelCause(t.Context())
	api.grants = func() bool {
		cancel(cause) // only while the permissions are waited for
		return false
	}
	if _, err := c.Namespaces.Ensure(ctx, testStore(1)); provision.CodeOf(err) != provision.CodeSuperseded {
		t.Errorf("error %v, want the context's cause", err)
	}
}

func TestSubjectOfUserNames(t *testing.T) {
	for user, want := range map[string]struct {
		subject rbacv1.Subject
		binding string
	}{
		"system:serviceaccount:shops:worker": {rbacv1.Subject{Kind: "ServiceAccount", Namespace: "shops", Name: "worker"}, "role:shops:worker"},
		"admin@example.com":                  {rbacv1.Subject{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "admin@example.com"}, "role::admin@example.com"},
		"arn:aws:iam::1:user/x%":             {rbacv1.Subject{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "arn:aws:iam::1:user/x%"}, "role::arn:aws:iam::1:user|x|"},
	} {
		if got := subjectOf(user); got != want.subject {
			t.Errorf("%s is %+v, want %+v", user, got, want.subject)
		}
		if got := bindingOf("role", want.subject).Name; got != want.binding {
			t.Errorf("the binding of %s is %s, want %s", user, got, want.binding)
		}
	}
}

//go:build devcluster

package kubernetes_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// patience limits every wait for something that the cluster does in its own time. A wait that reaches it has failed.
const patience = 2 * time.Minute

// eventually asks again and again until check returns nil.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: not within %s: %v", what, patience, last)
	}
}

// awaitPolicies returns once every admission policy among the objects is enforced, which is seen by a request that only
// this policy refuses. The API server learns of each policy and of each binding by itself, and compiles them one by one:
// that one of them is enforced says nothing about the others. The rules within one policy come into force together.
func (i *installation) awaitPolicies(objects []*unstructured.Unstructured) {
	i.t.Helper()
	probes := i.policyProbes()
	var policies []string
	for _, o := range objects {
		if o.GetKind() == "ValidatingAdmissionPolicy" {
			policies = append(policies, strings.TrimPrefix(o.GetName(), i.namespace+"-"))
		}
	}
	if known := slices.Sorted(maps.Keys(probes)); !slices.Equal(known, slices.Sorted(slices.Values(policies))) {
		i.t.Fatalf("the chart has the admission policies %v, and there are probes for %v", policies, known)
	}
	for _, name := range policies {
		eventually(i.t, "the policy "+name+" is enforced", func(ctx context.Context) error {
			return notRefusedBy(i.namespace+"-"+name, probes[name](ctx))
		})
	}
}

// policyProbes are requests by the name of the policy that refuses them. The role-based rules allow all of them, and
// none changes anything.
func (i *installation) policyProbes() map[string]func(context.Context) error {
	i.t.Helper()
	worker, namespace := i.as("worker"), i.probeNamespace()
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	return map[string]func(context.Context) error{
		"namespaces": func(ctx context.Context) error {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "unlabelled"}}
			return result(worker.CoreV1().Namespaces().Create(ctx, ns, dry))
		},
		"rolebindings": func(ctx context.Context) error {
			return result(worker.RbacV1().RoleBindings("default").Create(ctx, i.binding(i.role, i.worker()), dry))
		},
		"services": func(ctx context.Context) error {
			return result(worker.CoreV1().Services(namespace).Create(ctx, service(corev1.ServiceSpec{ExternalIPs: []string{"192.0.2.1"}}), dry))
		},
	}
}

// probeNamespace makes a namespace in which the worker has the rights that it has in a store. The administrator makes it,
// because the policies about namespaces and bindings may not be enforced yet.
func (i *installation) probeNamespace() string {
	i.t.Helper()
	name := i.namespace + "-probe"
	i.must(i.admin.CoreV1().Namespaces().Create(i.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}))
	i.t.Cleanup(func() { _ = i.admin.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}) })
	i.bindStoreRole(i.admin, name)
	return name
}

// bindStoreRole binds the worker to the store role in a namespace and waits until the binding counts.
func (i *installation) bindStoreRole(as kubernetes.Interface, namespace string) {
	i.t.Helper()
	i.must(as.RbacV1().RoleBindings(namespace).Create(i.t.Context(), i.binding(i.role, i.worker()), metav1.CreateOptions{}))
	worker := i.as("worker")
	eventually(i.t, "the worker's binding in "+namespace+" counts", func(ctx context.Context) error {
		return result(worker.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{}))
	})
}

// notRefusedBy is nil if err is the refusal of the policy, and says what it is otherwise.
func notRefusedBy(policy string, err error) error {
	switch {
	case err == nil:
		return errors.New("the request was allowed")
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+policy+"'"):
		return nil
	}
	return err
}

//go:build devcluster

package engine_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"orchestrator/provision/cluster/helm"
)

// judge asks a real API server what it thinks of objects.
type judge struct {
	client kubernetes.Interface
	any    dynamic.Interface
	mapper meta.RESTMapper

	mu       sync.Mutex
	warnings []string
}

// HandleWarningHeader implements [rest.WarningHandler]: what the server only warns of is wrong too.
func (j *judge) HandleWarningHeader(_ int, _, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.warnings = append(j.warnings, text)
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", devKubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{}
	config.QPS, config.WarningHandler = -1, j
	j.client, j.any = kubernetes.NewForConfigOrDie(config), dynamic.NewForConfigOrDie(config)
	knowHTTPRoutes(t, j.any)
	// That a new kind is served and that discovery lists it are two things.
	poll(t, "the API server serves HTTPRoutes", func(ctx context.Context) error {
		groups, err := restmapper.GetAPIGroupResources(discovery.NewDiscoveryClientForConfigOrDie(config))
		if err != nil {
			return err
		}
		j.mapper = restmapper.NewDiscoveryRESTMapper(groups)
		routes, err := j.mapper.RESTMapping(schema.GroupKind{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute"}, "v1")
		if err == nil {
			_, err = j.any.Resource(routes.Resource).List(ctx, metav1.ListOptions{})
		}
		return err
	})
	return j
}

var _ rest.WarningHandler = (*judge)(nil)

// knowHTTPRoutes gives the cluster the Gateway API's HTTPRoute, for the time of the test, unless it has it.
func knowHTTPRoutes(t *testing.T, client dynamic.Interface) {
	t.Helper()
	text, err := os.ReadFile("testdata/gateway-api/httproutes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	crd := decoded(t, text)
	_, err = crds.Create(t.Context(), crd, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = crds.Delete(context.Background(), crd.GetName(), metav1.DeleteOptions{}) })
}

// restricted is a namespace of its own that takes no pod but restricted ones, and warns of workloads with others.
func (j *judge) restricted(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "dryrun-" + strings.ToLower(rand.Text()[:8]), Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
	}}}
	if _, err := j.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = j.client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{})
	})
	return ns.Name
}

// create asks for an object to be created; an unknown or doubled field is an error, and so is one that the cluster stores
// otherwise: each look at a store for manual changes would cost a request more.
func (j *judge) create(ctx context.Context, namespace string, object *unstructured.Unstructured, dryRun ...string) error {
	kind := object.GroupVersionKind()
	mapping, err := j.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	options := metav1.CreateOptions{DryRun: dryRun, FieldValidation: metav1.FieldValidationStrict}
	stored, err := j.any.Resource(mapping.Resource).Namespace(namespace).Create(ctx, object.DeepCopy(), options)
	if err != nil {
		return err
	}
	change, err := helm.Difference(object, stored)
	if err == nil && len(change) > 0 && object.GetKind() != "Pod" { // pods are not looked at: they end by themselves
		err = fmt.Errorf("it is stored otherwise than the chart says it: %v", change)
	}
	return err
}

// admit creates the pod of a workload, for the cluster's rules about pods look at nothing else.
func (j *judge) admit(ctx context.Context, namespace string, pod corev1.PodTemplateSpec) error {
	pod.Name = "pod"
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	_, err := j.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}, options)
	return err
}

// awaitQuota waits until a pod that asks for more than any quota allows is refused for that: the API server ignores a quota
// until the quota controller has written its status, and would admit any pod.
func (j *judge) awaitQuota(t *testing.T, namespace string, pods map[string]corev1.PodTemplateSpec) {
	t.Helper()
	name := slices.Sorted(maps.Keys(pods))[0]
	pod, most := pods[name], corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100000")}
	pod = *pod.DeepCopy()
	pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: most, Limits: most}
	poll(t, "the quota is enforced", func(ctx context.Context) error {
		switch err := j.admit(ctx, namespace, pod); {
		case err == nil:
			return errors.New("the pod was admitted")
		case strings.Contains(err.Error(), "exceeded quota"):
			return nil
		default:
			return err
		}
	})
}

// isFrame reports whether pods cannot be judged without the object.
func isFrame(object *unstructured.Unstructured) bool {
	return slices.Contains([]string{"ServiceAccount", "ResourceQuota", "LimitRange"}, object.GetKind())
}

// TestAPIServer gives a real API server every object of every variant, with the pods' own quota and account in force; and
// what is wrong, to show that it can refuse.
func TestAPIServer(t *testing.T) {
	j := newJudge(t)
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) { j.takes(t, render(t, v)) })
	}
	t.Run("wrong objects", j.refuses)
	for _, warning := range j.warnings {
		t.Errorf("the API server warns: %s", warning)
	}
}

func (j *judge) takes(t *testing.T, r rendered) {
	namespace := j.restricted(t)
	documents := strings.Split("\n"+r.manifest, "\n---\n")
	for _, hook := range r.hooks {
		documents = append(documents, hook.Manifest)
	}
	var frame, others []*unstructured.Unstructured
	for _, document := range documents {
		switch object := decoded(t, []byte(document)); {
		case object.Object == nil:
		case isFrame(object):
			frame = append(frame, object)
		default:
			others = append(others, object)
		}
	}
	if len(frame)+len(others) != len(r.objects) {
		t.Errorf("%d of %d objects are looked at", len(frame)+len(others), len(r.objects))
	}
	for _, object := range frame {
		if err := j.create(t.Context(), namespace, object); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	j.awaitQuota(t, namespace, r.pods)
	for _, object := range others {
		if err := j.create(t.Context(), namespace, object, metav1.DryRunAll); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.pods)) {
		if err := j.admit(t.Context(), namespace, r.pods[name]); err != nil {
			t.Errorf("the pods of %s: %v", name, err)
		}
	}
}

func (j *judge) refuses(t *testing.T) {
	namespace := j.restricted(t)
	document := func(kind, spec string) *unstructured.Unstructured {
		return decoded(t, []byte(kind+"\nmetadata: {name: wrong}\nspec: "+spec))
	}
	route := "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute"
	for want, object := range map[string]*unstructured.Unstructured{
		`unknown field "spec.mystery"`: document("apiVersion: v1\nkind: Service", "{mystery: 1, ports: [{port: 80}]}"),
		"violates PodSecurity":         document("apiVersion: v1\nkind: Pod", "{containers: [{name: a, image: a}]}"),
		`unknown field "spec.host"`:    document(route, "{host: shop.example.com}"),
		"spec.hostnames":               document(route, "{hostnames: [Shop.example.com]}"),
	} {
		if err := j.create(t.Context(), namespace, object, metav1.DryRunAll); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

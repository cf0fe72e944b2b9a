package cluster

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes/fake"
	clientgotesting "k8s.io/client-go/testing"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// ground is a cluster that can be broken in one place.
type ground struct {
	version string
	denied  []string // "verb resource" that the account may not do
	forbids string   // a resource that it may not read
	objects []runtime.Object
	kinds   []*metav1.APIResourceList
	role    string
	needs   Needs
}

func goodGround() ground {
	named := func(name, annotation string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotation: "true"}}
	}
	return ground{version: "v1.31.2", role: "stores", needs: Needs{StorageClasses: []string{""}, IngressClasses: []string{""}, Gateway: true},
		objects: []runtime.Object{&storagev1.StorageClass{ObjectMeta: named("disk", defaultStorageClass)}, &networkingv1.IngressClass{ObjectMeta: named("nginx", defaultIngressClass)}},
		kinds:   []*metav1.APIResourceList{{GroupVersion: "gateway.networking.k8s.io/v1", APIResources: []metav1.APIResource{{Kind: "HTTPRoute"}}}}}
}

func (g ground) checks(ctx context.Context) []provision.Check {
	client := fake.NewClientset(g.objects...)
	client.Resources = g.kinds
	client.Discovery().(*fakediscovery.FakeDiscovery).FakedServerVersion = &version.Info{GitVersion: g.version}
	client.PrependReactor("create", "selfsubjectaccessreviews", func(a clientgotesting.Action) (bool, runtime.Object, error) {
		review := a.(clientgotesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		asked := review.Spec.ResourceAttributes
		review.Status.Allowed = !slices.Contains(g.denied, asked.Verb+" "+asked.Resource)
		return true, review, nil
	})
	client.PrependReactor("*", g.forbids, func(clientgotesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: g.forbids}, "", errors.New("no"))
	})
	api := &kube.Client{Clientset: client, Log: slog.New(slog.DiscardHandler)}
	owner := ownership{api, Named("ours")}
	c := &Cluster{Namespaces: &Namespaces{api, owner, &roleBinder{api: api, role: g.role}}, State: &State{api, owner}, api: api}
	return c.Preflight(ctx, "eu", g.needs)
}

// deadWebhook is asked about every pod, and has no endpoints.
func deadWebhook() *admissionv1.ValidatingWebhookConfiguration {
	all := admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}}
	return &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "guard"}, Webhooks: []admissionv1.ValidatingWebhook{{Name: "guard.example.com",
		ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "guards", Name: "guard"}},
		Rules:        []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{admissionv1.Create}, Rule: all}}}}}
}

// TestPreflightFindsWhatIsBroken breaks one thing at a time, and expects exactly one line about it.
func TestPreflightFindsWhatIsBroken(t *testing.T) {
	for _, one := range goodGround().checks(t.Context()) {
		if one.Result != provision.CheckOK || one.Subject != "eu" {
			t.Errorf("nothing is broken: %+v", one)
		}
	}
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{provision.LabelStore: "0123456789", labelInstallation: "staging"}}}
	tests := map[string]struct {
		spoil  func(*ground)
		result provision.CheckResult
		says   string
	}{
		"old":                 {func(g *ground) { g.version = "v1.29.9" }, provision.CheckFailed, "it is Kubernetes v1.29.9"},
		"without a version":   {func(g *ground) { g.version = "v0.0.0-master" }, provision.CheckUnknown, "which Kubernetes it is"},
		"no right":            {func(g *ground) { g.denied = []string{"delete namespaces"} }, provision.CheckFailed, "the worker may not: delete namespaces"},
		"no right to bind":    {func(g *ground) { g.denied = []string{"bind clusterroles"} }, provision.CheckFailed, "bind clusterroles stores.rbac"},
		"no right in stores":  {func(g *ground) { g.role, g.denied = "", []string{"create secrets"} }, provision.CheckFailed, "create secrets"},
		"no default disk":     {func(g *ground) { g.objects = g.objects[1:] }, provision.CheckFailed, "0 storage classes"},
		"another disk":        {func(g *ground) { g.needs.StorageClasses = []string{"fast"} }, provision.CheckFailed, "storage class fast does not exist"},
		"disks not shown":     {func(g *ground) { g.forbids = "storageclasses" }, provision.CheckUnknown, "a default storage class"},
		"no default ingress":  {func(g *ground) { g.objects = g.objects[:1] }, provision.CheckWarning, "0 ingress classes"},
		"another ingress":     {func(g *ground) { g.needs.IngressClasses = []string{"public"} }, provision.CheckFailed, "ingress class public does not exist"},
		"no gateway":          {func(g *ground) { g.kinds = nil }, provision.CheckFailed, "it has no HTTPRoute"},
		"a webhook is dead":   {func(g *ground) { g.objects = append(g.objects, deadWebhook()) }, provision.CheckFailed, "nothing answers for the admission webhook guard.example.com (validatingwebhookconfiguration guard, service guards/guard)"},
		"webhooks not shown":  {func(g *ground) { g.forbids = "validatingwebhookconfigurations" }, provision.CheckUnknown, "each admission webhook"},
		"other installations": {func(g *ground) { g.objects = append(g.objects, foreign) }, provision.CheckWarning, `1 stores of the installation "staging"`},
	}
	for name, test := range tests {
		g := goodGround()
		test.spoil(&g)
		var found []provision.Check
		for _, one := range g.checks(t.Context()) {
			if one.Result != provision.CheckOK {
				found = append(found, one)
			}
		}
		if len(found) != 1 || found[0].Result != test.result || !strings.Contains(found[0].Detail, test.says) || (found[0].Remedy == "") != (test.result == provision.CheckUnknown) {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

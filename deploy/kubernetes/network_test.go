package kubernetes_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"helm.sh/helm/v3/pkg/chartutil"

	"orchestrator/provision"
)

// The clouds' metadata services give credentials of the node to all that reach them, on port 80.
func TestNoPolicyOpensTheMetadataAddress(t *testing.T) {
	all := variants(t)
	all["a backend on port 80"] = chartutil.MergeTables(values{"backend": values{"url": "http://backend.example.com"}}, all["least"])
	all["shops asked from outside"] = chartutil.MergeTables(values{"worker": values{"env": values{"ORCH_VERIFY": "public"}}}, all["least"])
	for name, v := range all {
		for _, o := range render(t, "orchestrator", "shops", v) {
			if o.GetKind() != "NetworkPolicy" {
				continue
			}
			for _, rule := range as[networkingv1.NetworkPolicy](t, o).Spec.Egress {
				for _, address := range []string{"169.254.169.254", "fd00:ec2::254"} {
					if opens(rule, netip.MustParseAddr(address), 80) {
						t.Errorf("%s: policy %s opens port 80 of %s", name, o.GetName(), address)
					}
				}
			}
		}
	}
}

// A rule that is to reach any host reaches pods too, which some networks do not find among addresses.
func TestTheBackendMayBeAPodOrAHost(t *testing.T) {
	v := chartutil.MergeTables(values{"backend": values{"url": "http://backend.example.com"}}, variants(t)["least"])
	worker := as[networkingv1.NetworkPolicy](t, find(t, render(t, "orchestrator", "shops", v), "NetworkPolicy", "-worker"))
	host, pod := false, false
	for _, rule := range worker.Spec.Egress {
		host = host || opens(rule, netip.MustParseAddr("203.0.113.1"), 80)
		pod = pod || slices.ContainsFunc(rule.To, func(p networkingv1.NetworkPolicyPeer) bool {
			return p.PodSelector == nil && p.NamespaceSelector != nil && len(p.NamespaceSelector.MatchLabels) == 0
		})
	}
	if !host || !pod {
		t.Errorf("the worker reaches a backend that is a host: %t, or a pod: %t", host, pod)
	}
}

// opens reports whether a rule lets a connection go to an address that is no pod's.
func opens(rule networkingv1.NetworkPolicyEgressRule, addr netip.Addr, port int32) bool {
	onPort := len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
		return p.Port == nil || *p.Port == intstr.FromInt32(port)
	})
	return onPort && (len(rule.To) == 0 || slices.ContainsFunc(rule.To, func(p networkingv1.NetworkPolicyPeer) bool {
		return p.IPBlock != nil && netip.MustParsePrefix(p.IPBlock.CIDR).Contains(addr) &&
			!slices.ContainsFunc(p.IPBlock.Except, func(e string) bool { return netip.MustParsePrefix(e).Contains(addr) })
	}))
}

// TestTheGateOfBackupsIsReachedByPodsThatBackUpAlone: its password for the storage is worth more than any store's, and Redis is no business of its.
func TestTheGateOfBackupsIsReachedByPodsThatBackUpAlone(t *testing.T) {
	v := chartutil.MergeTables(values{"backupGate": values{"enabled": true, "existingSecret": "gate"}, "redisTLS": values{"secretName": "redis-tls"}}, variants(t)["least"])
	objects := render(t, "orchestrator", "shops", v)
	policy := as[networkingv1.NetworkPolicy](t, find(t, objects, "NetworkPolicy", "-backupgate")).Spec
	if len(policy.Ingress) != 1 || len(policy.Ingress[0].From) != 1 {
		t.Fatalf("%+v", policy.Ingress)
	}
	from := policy.Ingress[0].From[0]
	if from.PodSelector.MatchLabels["app.kubernetes.io/component"] != "backup" || from.NamespaceSelector.MatchExpressions[0].Key != provision.LabelStore {
		t.Errorf("it is reached by %+v", from)
	}
	for _, rule := range policy.Egress {
		if opens(rule, netip.MustParseAddr("203.0.113.1"), 6379) {
			t.Error("it reaches Redis")
		}
	}
	spec := pods(t, objects)["orchestrator-backupgate"]
	for _, env := range spec.Containers[0].Env {
		if strings.Contains(env.Name, "REDIS") || env.ValueFrom != nil && env.ValueFrom.SecretKeyRef.Name != "gate" {
			t.Errorf("it has %s", env.Name)
		}
	}
	if len(spec.Volumes) != 0 {
		t.Errorf("it mounts %v", spec.Volumes)
	}
}

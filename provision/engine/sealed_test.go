package engine_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// inTheNamespace says whether all that a policy lets through is of the store's own namespace, or DNS.
func inTheNamespace(rule networkingv1.NetworkPolicyEgressRule) bool {
	if len(rule.Ports) > 0 && rule.Ports[0].Port.IntVal == 53 {
		return true
	}
	return len(rule.To) > 0 && !slices.ContainsFunc(rule.To, func(to networkingv1.NetworkPolicyPeer) bool {
		return to.PodSelector == nil || to.NamespaceSelector != nil
	})
}

// TestARestoreTestIsSealed, whatever the installation gives its stores: no address, no schedule, no mail, no way out but the restore's own to the gate, none in; and its shop
// begins after the network's policies.
func TestARestoreTestIsSealed(t *testing.T) {
	mail := map[string]any{"common": map[string]any{"mail": map[string]any{"host": "mail.example.com", "from": "shop@example.com"}}}
	for _, name := range engine.Names() {
		for _, extra := range []map[string]any{values(installation, mail), values(installation, gateway, mail)} {
			v := variant{name: name, engine: name, env: "production", store: store(name, provision.Settings{}), extra: extra}
			v.store.RestoreTest = true
			r := render(t, v)
			if r.ingress != nil || len(r.routes) > 0 {
				t.Errorf("%s has an address", name)
			}
			for _, p := range r.policies {
				if len(p.Spec.Ingress) > 0 && strings.HasSuffix(p.Name, "-shop") {
					t.Errorf("%s: policy %s lets in %+v", name, p.Name, p.Spec.Ingress)
				}
				for _, rule := range p.Spec.Egress {
					if !strings.HasSuffix(p.Name, "-backup") && !inTheNamespace(rule) {
						t.Errorf("%s: policy %s lets out %+v", name, p.Name, rule)
					}
				}
			}
			shop := r.pods["Deployment/"+v.store.ReleaseName()]
			if len(shop.Spec.InitContainers) == 0 || shop.Spec.InitContainers[0].Name != "sealed" || len(shop.Spec.Containers) != 1 {
				t.Errorf("%s: its shop's pod does not begin with the container sealed (common.sealed), or has more than one container", name)
			}
			for kind, pod := range r.pods {
				if strings.HasSuffix(kind, "-worker") || slices.ContainsFunc(pod.Spec.Containers, mails) {
					t.Errorf("%s: %s runs, or has a mail server", name, kind)
				}
			}
		}
	}
}

func mails(c corev1.Container) bool {
	return slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return strings.HasPrefix(v.Name, "MAIL_") })
}

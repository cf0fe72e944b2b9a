package kubernetes_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// TestTheExampleOfAStorageFitsTheGate: it only adds, its secrets are no arguments, and its policy lets the chart's gate in.
func TestTheExampleOfAStorageFitsTheGate(t *testing.T) {
	text, err := os.ReadFile("../examples/backup-storage/rclone.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents := strings.Split(string(text), "\n---\n")
	var secret corev1.Secret
	var deployment appsv1.Deployment
	var service corev1.Service
	var policy networkingv1.NetworkPolicy
	for i, into := range []any{&secret, &deployment, &service, &policy} {
		if err := yaml.UnmarshalStrict([]byte(documents[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	container := deployment.Spec.Template.Spec.Containers[0]
	if !slices.Contains(container.Args, "--append-only") || slices.ContainsFunc(container.Args, func(arg string) bool { return strings.Contains(arg, "pass") || strings.Contains(arg, "key") }) {
		t.Errorf("rclone is started with %q", container.Args)
	}
	if container.EnvFrom[0].SecretRef.Name != secret.Name || service.Spec.Ports[0].Port != 8080 {
		t.Errorf("%+v, %+v", container.EnvFrom, service.Spec)
	}
	v := values{"backend": values{"url": "https://backend"}, "existingSecret": "x", "backupGate": values{"enabled": true, "existingSecret": "gate"}}
	gate := as[appsv1.Deployment](t, find(t, render(t, "orchestrator", "shops", v), "Deployment", "-backupgate"))
	for name, value := range policy.Spec.Ingress[0].From[0].PodSelector.MatchLabels {
		if gate.Spec.Template.Labels[name] != value {
			t.Errorf("its policy wants %s=%s, the gate's pods have %v", name, value, gate.Spec.Template.Labels)
		}
	}
}

package engine_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// TestEveryStoreCanBeBackedUpAndRestored: its database, where it has one, its files, which only a restore changes, and all entries of its Secret; by a pod that is
// no part of the release.
func TestEveryStoreCanBeBackedUpAndRestored(t *testing.T) {
	for _, job := range []string{"backup", "restore"} {
		forEachVariant(t, func(t *testing.T, _ variant, r rendered) { wantRepositorysPod(t, r, r.jobs[job], job == "restore") })
	}
}

func wantRepositorysPod(t *testing.T, r rendered, pod *corev1.Pod, restores bool) {
	t.Helper()
	if pod.Spec.RestartPolicy != corev1.RestartPolicyNever || pod.Spec.ActiveDeadlineSeconds == nil || len(pod.Spec.Containers) != 1 {
		t.Errorf("it may run for ever, or has %d containers", len(pod.Spec.Containers))
	}
	if pod.Annotations["orchestrator/edition"] == "" {
		t.Error("it does not know the store's edition")
	}
	for _, object := range r.objects {
		if object.GetName() == pod.Name {
			if _, policy := object.(*networkingv1.NetworkPolicy); !policy {
				t.Errorf("%T %s is a part of the release", object, object.GetName())
			}
		}
	}
	var secrets, claims []string
	for _, volume := range pod.Spec.Volumes {
		if volume.Secret != nil && len(volume.Secret.Items) == 0 {
			secrets = append(secrets, volume.Secret.SecretName)
		}
		if volume.PersistentVolumeClaim != nil {
			claims = append(claims, volume.Name)
		}
	}
	if !slices.Equal(secrets, []string{provision.CredentialsSecret}) {
		t.Errorf("it sees the Secrets %v, want the store's", secrets)
	}
	for _, mount := range pod.Spec.Containers[0].VolumeMounts {
		if slices.Contains(claims, mount.Name) && (mount.ReadOnly == restores || mount.MountPath != "/files" || mount.SubPath != "") {
			t.Errorf("the volume %s is at %s, read only: %t, of it %q", mount.Name, mount.MountPath, mount.ReadOnly, mount.SubPath)
		}
	}
	wantFilesAndDatabase(t, r, pod, claims)
	// The shop's pod has the volume while it is backed up, and there is no such pod while it is restored.
	if bound := pod.Spec.Affinity != nil; bound != (len(claims) > 0 && !restores) {
		t.Errorf("it has to be where the shop is: %t", bound)
	}
}

// wantFilesAndDatabase: what the shop keeps in a volume of its own is backed up as files, and each other volume is a backend's.
func wantFilesAndDatabase(t *testing.T, r rendered, pod *corev1.Pod, claims []string) {
	t.Helper()
	shops := slices.ContainsFunc(r.claims, func(c *corev1.PersistentVolumeClaim) bool { return strings.HasSuffix(c.Name, "-data") })
	if (len(claims) == 1) != shops {
		t.Errorf("the shop has files: %t; those of the volumes %v are backed up", shops, claims)
	}
	host := ""
	for _, env := range pod.Spec.Containers[0].Env {
		if env.Name == "DB_HOST" {
			host = env.Value
		}
	}
	databases := slices.ContainsFunc(r.claims, func(c *corev1.PersistentVolumeClaim) bool {
		return c.Name == "shop-1-mariadb" || c.Name == "shop-1-postgres"
	})
	if databases != (r.services[host] != nil) {
		t.Errorf("the shop has a database: %t; the one at %q is backed up", databases, host)
	}
}

// TestBackupsAndRestoresAreScripts: what the shell gets is a script, in which Kubernetes replaces nothing.
func TestBackupsAndRestoresAreScripts(t *testing.T) {
	for _, name := range engine.Names() {
		jobs := render(t, variant{engine: name, env: "production", store: store(name, wanted)}).jobs
		wantScript(t, name, jobs["backup"].Spec.Containers[0])
		wantScript(t, name, jobs["restore"].Spec.Containers[0])
	}
}

func wantScript(t *testing.T, name string, c corev1.Container) {
	t.Helper()
	script := c.Args[0]
	if out, err := exec.CommandContext(t.Context(), "sh", "-n", "-c", script).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", name, err, out)
	}
	if strings.Contains(script, "$$") || len(script) > 100_000 {
		t.Errorf("%s: Kubernetes makes $$ to $ in it, or it is too long: %d bytes", name, len(script))
	}
	for _, env := range c.Env {
		if strings.Contains(script, "$("+env.Name+")") {
			t.Errorf("%s: Kubernetes replaces $(%s) in it", name, env.Name)
		}
	}
}

// TestARestoreIsOfTheBackupThatIsNamed: by the installation's values as the worker's; without one its script ends.
func TestARestoreIsOfTheBackupThatIsNamed(t *testing.T) {
	named := map[string]any{"run": "a-run", "database": "0a", "files": "0b", "secrets": "0c"}
	for _, name := range engine.Names() {
		v := variant{engine: name, env: "production", store: store(name, wanted), extra: map[string]any{"common": map[string]any{"restore": named}}}
		got := map[string]string{}
		for _, env := range render(t, v).jobs["restore"].Spec.Containers[0].Env {
			got[env.Name] = env.Value
		}
		for variable, want := range map[string]string{"RUN": "a-run", "DATABASE_SNAPSHOT": "0a", "FILES_SNAPSHOT": "0b", "SECRETS_SNAPSHOT": "0c", "JOB": "restore"} {
			if got[variable] != want {
				t.Errorf("%s: %s is %q, want %q", name, variable, got[variable], want)
			}
		}
	}
}

// wantBackupsEgress: a backup and a restore reach DNS, one backend and the gate, and nothing else.
func wantBackupsEgress(t *testing.T, r rendered, p *networkingv1.NetworkPolicy) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
	if err != nil {
		t.Fatal(err)
	}
	if !selector.Matches(labels.Set(r.jobs["backup"].Labels)) || !selector.Matches(labels.Set(r.jobs["restore"].Labels)) {
		t.Errorf("the policy %s is for other pods", p.Name)
	}
	if len(p.Spec.Ingress) > 0 || len(p.Spec.Egress) > 3 {
		t.Errorf("the policy %s lets some in, or leads to %d places", p.Name, len(p.Spec.Egress))
	}
}

// TestGateIsWhereTheInstallationSays: in a namespace, at addresses that are not public, or outside.
func TestGateIsWhereTheInstallationSays(t *testing.T) {
	for _, name := range engine.Names() {
		for what, gate := range map[string]map[string]any{
			"a namespace": {"namespaces": []any{"backups"}, "port": 9005}, "an address": {"cidrs": []any{"10.1.2.3/32"}, "port": 443}, "outside": {"port": 8443},
		} {
			v := variant{engine: name, env: "production", store: store(name, wanted), extra: map[string]any{"common": map[string]any{"backup": map[string]any{"gate": gate}}}}
			for _, p := range render(t, v).policies {
				if p.Name != "shop-1-backup" {
					continue
				}
				last := p.Spec.Egress[len(p.Spec.Egress)-1]
				to := last.To[0]
				right := map[string]bool{
					"a namespace": to.NamespaceSelector != nil && to.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] == "backups" && len(last.To) == 1,
					"an address":  to.IPBlock != nil && to.IPBlock.CIDR == "10.1.2.3/32" && len(last.To) == 1,
					"outside":     to.IPBlock != nil && to.IPBlock.CIDR == "0.0.0.0/0" && len(to.IPBlock.Except) > 0,
				}[what]
				if !right || len(last.Ports) != 1 || last.Ports[0].Port.IntValue() != gate["port"] {
					t.Errorf("%s: the gate is in %s: %+v", name, what, last)
				}
			}
		}
	}
}

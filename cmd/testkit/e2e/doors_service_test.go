//go:build realcluster

package e2e

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// namespace makes a namespace of this run.
func (d *doors) namespace(role string) string {
	d.t.Helper()
	name := d.release + "-" + role
	if _, err := d.k.CoreV1().Namespaces().Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		d.t.Fatal(err)
	}
	if !d.options.keep {
		d.t.Cleanup(func() { d.deleteNamespace(name) })
	}
	return name
}

// installBackend runs the command line's stand-in for the backend. It listens on port 80, which the metadata service does too.
func (d *doors) installBackend() corev1.Pod {
	d.t.Helper()
	name, namespace := "backend", d.ns["backend"]
	d.must(d.k.CoreV1().Secrets(namespace).Create(context.Background(), d.secret(name), metav1.CreateOptions{}))
	labels := map[string]string{"app": name}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: corev1.PodSpec{
		AutomountServiceAccountToken: new(bool),
		SecurityContext:              &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}}},
		Containers: []corev1.Container{{Name: name, Image: d.serviceImage("orchestrator"), ImagePullPolicy: corev1.PullIfNotPresent, SecurityContext: restricted(),
			Args: []string{"backend", "--addr", ":80"}, EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}}},
	}}
	d.must(d.k.CoreV1().Pods(namespace).Create(context.Background(), pod, metav1.CreateOptions{}))
	d.must(d.k.CoreV1().Services(namespace).Create(context.Background(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}}}, metav1.CreateOptions{}))
	var now *corev1.Pod
	d.until("the backend's pod runs", d.options.timeout, func() (runs bool) {
		var err error
		now, err = d.k.CoreV1().Pods(namespace).Get(context.Background(), name, metav1.GetOptions{})
		return err == nil && now.Status.Phase == corev1.PodRunning
	})
	return *now
}

func (d *doors) secret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"ORCHESTRATOR_TOKEN": d.token, "REDIS_PASSWORD": rand.Text(),
		"ORCH_MONITOR_USER": "operator", "ORCH_MONITOR_PASSWORD": rand.Text()}}
}

func (d *doors) must(results ...any) {
	d.t.Helper()
	if err := results[len(results)-1]; err != nil {
		d.t.Fatal(err)
	}
}

func (d *doors) serviceImage(name string) string {
	return os.Getenv("IMAGE_PREFIX") + name + ":" + cmp.Or(os.Getenv("IMAGE_TAG"), "dev")
}

// installService installs the service's chart by Helm's own program. The worker in it knows the cluster from its service account alone.
func (d *doors) installService() {
	d.t.Helper()
	namespace := d.ns["service"]
	d.must(d.k.CoreV1().Secrets(namespace).Create(context.Background(), d.secret("orchestrator"), metav1.CreateOptions{}))
	text, err := yaml.Marshal(d.serviceValues())
	d.must(err)
	file := filepath.Join(d.t.TempDir(), "values.yaml")
	d.must(os.WriteFile(file, text, 0o600))
	if !d.options.keep {
		d.t.Cleanup(func() { _, _ = helmProgram(d.t, "uninstall", d.release, "--namespace", namespace) })
	}
	if out, err := helmProgram(d.t, "install", d.release, d.chart(), "--namespace", namespace, "--values", file, "--wait", "--timeout", d.options.timeout.String()); err != nil {
		d.t.Fatalf("the service does not come up: %s\n%s", out, d.diagnosis(provision.Request{Namespace: namespace}))
	}
}

// chart is the folder of the service's chart. An API server that was built without its version says v0.0.0, which Helm would refuse; for that one the folder is
// a copy that asks for no version.
func (d *doors) chart() string {
	d.t.Helper()
	const folder = "../../../deploy/kubernetes/orchestrator"
	version, err := d.k.Discovery().ServerVersion()
	d.must(err)
	if !strings.HasPrefix(version.GitVersion, "v0.0.0-") {
		return folder
	}
	copied := filepath.Join(d.t.TempDir(), "chart")
	d.must(os.CopyFS(copied, os.DirFS(folder)))
	file := filepath.Join(copied, "Chart.yaml")
	text, err := os.ReadFile(file)
	d.must(err)
	d.must(os.WriteFile(file, kubeVersion.ReplaceAll(text, nil), 0o600))
	return copied
}

var kubeVersion = regexp.MustCompile(`(?m)^kubeVersion:.*\n`)

// serviceValues are those of an installation that says who may call ingest and the shops.
func (d *doors) serviceValues() map[string]any {
	redis := map[string]any{"enabled": true}
	if image := os.Getenv("REDIS_IMAGE"); image != "" {
		redis["image"] = image
	}
	peer := []any{map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{corev1.LabelMetadataName: d.ns["backend"]}}}}
	return map[string]any{
		"image":          map[string]any{"registry": strings.TrimSuffix(os.Getenv("IMAGE_PREFIX"), "/"), "tag": cmp.Or(os.Getenv("IMAGE_TAG"), "dev")},
		"backend":        map[string]any{"url": "http://backend." + d.ns["backend"]},
		"existingSecret": "orchestrator", "environment": cmp.Or(os.Getenv("APP_ENV"), "development"),
		"redis": redis, "ingest": map[string]any{"replicas": 1}, "worker": map[string]any{"replicas": 1},
		"networkPolicy": map[string]any{"ingestFrom": peer}, "storeValues": d.storeValues(),
	}
}

// storeValues are the installation's, with the namespace of the gateway's place, and the given images.
func (d *doors) storeValues() map[string]any {
	values := map[string]any{"common": map[string]any{"networkPolicy": map[string]any{"ingressNamespaces": []any{d.ns["gateway"]}}}}
	for _, engine := range d.engines() {
		values = chartutil.MergeTables(values, d.options.valuesFor(engine))
	}
	return values
}

func (d *doors) engines() []string {
	if slices.Contains(d.options.engines, "medusa") {
		return []string{"woocommerce", "medusa"}
	}
	return []string{"woocommerce"}
}

// createStores posts the stores to the ingest in the cluster, and waits until the backend in the cluster was told that they are READY.
func (d *doors) createStores() {
	d.t.Helper()
	d.stores = map[string]provision.Request{"A": store(d.t, "woocommerce"), "B": store(d.t, "woocommerce")}
	if slices.Contains(d.engines(), "medusa") {
		d.stores["C"] = store(d.t, "medusa")
	}
	for _, s := range d.stores {
		d.t.Cleanup(func() { d.cleanUp(s) })
		body, err := json.Marshal(s)
		d.must(err)
		d.until("ingest accepts "+s.StoreID, time.Minute, func() bool {
			_, err := d.client.Submit(context.Background(), 0, body)
			if err != nil && !client.IsTemporary(err) {
				d.t.Fatalf("POST of %s: %v", s.StoreID, err)
			}
			return err == nil
		})
	}
	for _, s := range d.stores {
		d.awaitStatus(s.StoreID, provision.StatusReady)
	}
}

// awaitStatus waits until the backend in the cluster has printed the callback.
func (d *doors) awaitStatus(id string, status provision.Status) {
	d.t.Helper()
	d.until("the backend hears that "+id+" is "+string(status), d.options.timeout, func() bool {
		log, err := d.k.CoreV1().Pods(d.ns["backend"]).GetLogs("backend", &corev1.PodLogOptions{}).DoRaw(context.Background())
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, id) && strings.Contains(line, "FAILED") {
				d.t.Fatalf("the backend hears %s", line)
			}
			if strings.Contains(line, id) && strings.Contains(line, string(status)) {
				return err == nil
			}
		}
		return false
	})
}

// removeStores deletes the stores by the ingest in the cluster.
func (d *doors) removeStores() {
	d.t.Helper()
	for _, s := range d.stores {
		_, err := d.client.Delete(context.Background(), s.StoreID, 0, client.Deletion{})
		d.must(err)
	}
	for _, s := range d.stores {
		d.awaitStatus(s.StoreID, provision.StatusDeleted)
		if !d.gone(s.Namespace) {
			d.t.Errorf("DELETED was delivered and namespace %s is still there", s.Namespace)
		}
	}
}

func (d *doors) cleanUp(s provision.Request) {
	if d.t.Failed() && !d.gone(s.Namespace) {
		d.t.Logf("what store %s looks like:\n%s", s.StoreID, d.diagnosis(s))
	}
	if err := d.k.CoreV1().Namespaces().Delete(context.Background(), s.Namespace, metav1.DeleteOptions{}); !d.options.keep && err != nil && !apierrors.IsNotFound(err) {
		d.t.Logf("namespace %s is left behind: %v", s.Namespace, err)
	}
}

//go:build devcluster

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// The charts work with Helm's own program and nothing of ours, with the Secret and the values that charts/README.md shows.
func TestChartsByHelmAlone(t *testing.T) {
	text, err := os.ReadFile("../../../charts/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "## A store without the orchestrator")
	if !found {
		t.Fatal("charts/README.md does not say how a store is made without the orchestrator")
	}
	values := filepath.Join(t.TempDir(), "shop.yaml")
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(section)
	if err := os.WriteFile(values, []byte(block[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"woocommerce", "medusa"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := credentialKeys(t, name)
			for _, key := range keys {
				if !strings.Contains(section, key) {
					t.Errorf("charts/README.md does not name the key %s of %s's Secret", key, name)
				}
			}
			aloneInstall(t, name, values, keys)
		})
	}
}

func credentialKeys(t *testing.T, name string) (keys []string) {
	t.Helper()
	release, err := engine.All()[name].Release(provision.Store{Generation: 1, Request: store(t, name)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range release.Credentials {
		keys = append(keys, c.Key)
	}
	return keys
}

// aloneInstall does with Helm what an operator would: lint, template, install, test, upgrade, rollback, uninstall.
func aloneInstall(t *testing.T, name, values string, keys []string) {
	t.Helper()
	w, s, chart := newWorld(t), store(t, name), chartCopy(t, name)
	ctx := context.Background()
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	if _, err := w.k.CoreV1().Namespaces().Create(ctx, space, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.k.CoreV1().Namespaces().Delete(ctx, s.Namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	data := map[string]string{}
	for _, key := range keys {
		data[key] = strings.Repeat("0123456789abcdef", 2)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: provision.CredentialsSecret}, StringData: data}
	if _, err := w.k.CoreV1().Secrets(s.Namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h := helm{t, s}
	h.run("lint", chart, "--strict", "--values", values)
	if out := h.run("template", s.Name, chart, "--values", values); !strings.Contains(out, "kind: StatefulSet") {
		t.Errorf("helm template renders\n%s", out)
	}
	h.run("install", s.Name, chart, "--values", values, "--wait", "--timeout", "2m")
	if out := h.run("test", s.Name, "--timeout", "2m"); !strings.Contains(out, "Phase:          Succeeded") {
		t.Errorf("helm test says\n%s", out)
	}
	h.run("upgrade", s.Name, chart, "--values", values, "--set", "common.store.title=Second", "--wait", "--timeout", "2m")
	h.run("rollback", s.Name, "1", "--wait", "--timeout", "2m")
	if last := h.last(); last.Revision != 3 || last.Status != "deployed" {
		t.Errorf("helm history ends with %+v", last)
	}
	h.run("uninstall", s.Name)
}

// chartCopy is an engine's chart with the library in it, as `helm dependency build` leaves it.
func chartCopy(t *testing.T, name string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../../../charts/store")); err != nil {
		t.Fatal(err)
	}
	chart := filepath.Join(folder, name)
	cmd := exec.Command(filepath.Join(must(t, "ORCH_TEST_BIN"), "helm"), "dependency", "build", chart)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+folder, "HELM_CONFIG_HOME="+folder, "HELM_DATA_HOME="+folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("helm dependency build: %v\n%s", err, out)
	}
	return chart
}

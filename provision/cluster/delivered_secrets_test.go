package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// mounted writes files as Kubernetes mounts Secrets: keys are links into a generation of the mount.
func mounted(t *testing.T, dir, secret string, data map[string]string) {
	t.Helper()
	folder := filepath.Join(dir, secret)
	generation := filepath.Join(folder, "..2026")
	for _, err := range []error{os.RemoveAll(folder), os.MkdirAll(generation, 0o700), os.Symlink("..2026", filepath.Join(folder, "..data"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for key, value := range data {
		if err := os.WriteFile(filepath.Join(generation, key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", key), filepath.Join(folder, key)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoreSecretsAreReadAsTheyAreMounted(t *testing.T) {
	dir := t.TempDir()
	mounted(t, dir, "pull", map[string]string{".dockerconfigjson": "{}"})
	mounted(t, dir, "wildcard", map[string]string{"tls.crt": "c", "tls.key": "k"})
	mounted(t, dir, "smtp", map[string]string{"password": "p"})
	secrets, err := StoreSecrets(dir).Read()
	if err != nil || len(secrets) != 3 {
		t.Fatalf("%v, %v", secrets, err)
	}
	for i, want := range []corev1.SecretType{corev1.SecretTypeDockerConfigJson, corev1.SecretTypeOpaque, corev1.SecretTypeTLS} {
		if secrets[i].Type != want {
			t.Errorf("%s is of type %s, want %s", secrets[i].Name, secrets[i].Type, want)
		}
	}
	if keys := secrets[2].Data; len(keys) != 2 || string(keys["tls.key"]) != "k" {
		t.Errorf("wildcard has %v", keys)
	}
}

func TestStoreSecretsRefuseWhatNoStoreCanGet(t *testing.T) {
	for what, make := range map[string]func(dir string){
		"store-credentials":  func(dir string) { mounted(t, dir, "store-credentials", map[string]string{"a": "b"}) },
		"sh.helm.release.v1": func(dir string) { mounted(t, dir, "sh.helm.release.v1.shop.v1", map[string]string{"a": "b"}) },
		"Upper":              func(dir string) { mounted(t, dir, "Upper", map[string]string{"a": "b"}) },
		"holds no key":       func(dir string) { mounted(t, dir, "empty", nil) },
		"no such file":       func(dir string) { _ = os.Remove(dir) },
	} {
		dir := t.TempDir()
		make(dir)
		if _, err := StoreSecrets(dir).Read(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if secrets, err := StoreSecrets("").Read(); err != nil || secrets != nil {
		t.Errorf("without a folder: %v, %v", secrets, err)
	}
}

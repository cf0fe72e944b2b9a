//go:build devcluster

package cluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

func TestCredentialsDeliverTheInstallationsSecrets(t *testing.T) {
	t.Parallel()
	cfg := devConfig(t)
	dir := t.TempDir()
	cfg.StoreSecrets = StoreSecrets(dir)
	c, err := Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mounted(t, dir, "pull", map[string]string{".dockerconfigjson": `{"auths":{}}`})
	s := prepared(t, c)
	get := func(name string) *corev1.Secret {
		t.Helper()
		secret, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	first := get("pull")
	if first.Type != corev1.SecretTypeDockerConfigJson || !belongsTo(first.Labels, s) {
		t.Errorf("the store got %s with labels %v", first.Type, first.Labels)
	}
	again := func() error {
		s.Generation++
		return c.Credentials.Ensure(t.Context(), s, tinyRelease(s, nil).Credentials)
	}
	if err := again(); err != nil || get("pull").ResourceVersion != first.ResourceVersion {
		t.Errorf("an equal secret is written again, %v", err)
	}
	mounted(t, dir, "pull", map[string]string{".dockerconfigjson": `{"auths":{"registry.example.com":{}}}`}) // rotated
	if err := again(); err != nil || !strings.Contains(string(get("pull").Data[".dockerconfigjson"]), "registry.example.com") {
		t.Errorf("after the rotation the store has %s, %v", get("pull").Data, err)
	}
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "smtp"}, Data: map[string][]byte{"password": []byte("theirs")}}
	if _, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	mounted(t, dir, "smtp", map[string]string{"password": "ours"})
	wantCode(t, again(), provision.CodeConflict)
	if string(get("smtp").Data["password"]) != "theirs" {
		t.Error("a secret of others was changed")
	}
}

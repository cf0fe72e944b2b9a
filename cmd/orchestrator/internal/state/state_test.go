package state

import (
	"os"
	"strings"
	"testing"
)

func newDir(t *testing.T) Dir {
	t.Helper()
	d, err := Dir(t.TempDir()).Make()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func none(string) string { return "" }

func TestEnsureSecretsGeneratesThemOnce(t *testing.T) {
	d := newDir(t)
	first, err := d.EnsureSecrets(none)
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.EnsureSecrets(none)
	if err != nil || first != second {
		t.Errorf("%v: the second call differs", err)
	}
	if len(first.Token) < 20 || len(first.MonitorPassword) < 16 || first.MonitorUser != "admin" || !strings.HasPrefix(first.WebhookSecret, "whsec_") {
		t.Errorf("%+v", first)
	}
	info, err := os.Stat(d.Path("secrets.env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if other, _ := newDir(t).EnsureSecrets(none); other.Token == first.Token {
		t.Error("two folders share a token")
	}
}

func TestEnsureSecretsPrefersTheEnvironmentAndDoesNotStoreIt(t *testing.T) {
	d := newDir(t)
	given, _ := d.EnsureSecrets(func(name string) string { return map[string]string{"ORCHESTRATOR_TOKEN": "a,b"}[name] })
	if given.Token != "a,b" {
		t.Errorf("%+v", given)
	}
	if kept, _ := d.EnsureSecrets(none); kept.Token == "a,b" || kept.MonitorPassword != given.MonitorPassword {
		t.Errorf("%+v", kept)
	}
}

func TestLockAllowsOneServicePerFolder(t *testing.T) {
	d := newDir(t)
	release, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("a second one: %v", err)
	}
	release()
	again, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestWriteFileReplacesAtomically(t *testing.T) {
	d := newDir(t)
	for _, text := range []string{"one", "two"} {
		if err := WriteFile(d.Path("f"), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(d.Path("f")); string(got) != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
	if names, _ := os.ReadDir(string(d)); len(names) != 2 { // f, logs
		t.Errorf("%v is left", names)
	}
}

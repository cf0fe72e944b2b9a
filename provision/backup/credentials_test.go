package backup

import (
	"encoding/base64"
	"maps"
	"os/exec"
	"strings"
	"testing"
)

// seal is what the pod of a restore does.
func seal(t *testing.T, password, text string) string {
	t.Helper()
	cmd := exec.Command("openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-iter", "100000", "-md", "sha256", "-salt", "-a", "-A", "-pass", "env:RESTIC_PASSWORD")
	cmd.Stdin, cmd.Env = strings.NewReader(text), []string{"PATH=/usr/bin:/bin", "RESTIC_PASSWORD=" + password}
	sealed, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl: %v", err)
	}
	return string(sealed)
}

func TestOpenCredentials(t *testing.T) {
	want := map[string]string{"admin-password": "abc", "rest-key": "ck_1", "empty": ""}
	got, err := OpenCredentials("password", seal(t, "password", "credentials 1\nadmin-password abc\nrest-key ck_1\nempty \n"))
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("opened: %v, %v; want %v", got, err, want)
	}
}

func TestWhatIsNotSealedForTheStoreIsRefused(t *testing.T) {
	sealed := seal(t, "password", "credentials 1\na b\n")
	data, _ := base64.StdEncoding.DecodeString(sealed)
	for name, try := range map[string][2]string{
		"another password":   {"another", sealed},
		"nothing":            {"password", ""},
		"no base64":          {"password", "%"},
		"not sealed":         {"password", base64.StdEncoding.EncodeToString([]byte("credentials 1\na b and more than a block of it"))},
		"cut off":            {"password", base64.StdEncoding.EncodeToString(data[:len(data)-1])},
		"the head alone":     {"password", base64.StdEncoding.EncodeToString(data[:16])},
		"another first line": {"password", seal(t, "password", "credentials 2\na b\n")},
		"a line of one word": {"password", seal(t, "password", "credentials 1\na\n")},
	} {
		if got, err := OpenCredentials(try[0], try[1]); err == nil || len(got) > 0 {
			t.Errorf("%s: %v, %v; want an error", name, got, err)
		}
	}
}

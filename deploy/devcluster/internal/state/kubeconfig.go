package state

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// EnsureToken returns the administrator's bearer token and writes the API server's token file. It stays the same from run
// to run.
func (d Dir) EnsureToken() (string, error) {
	data, err := os.ReadFile(d.Path("tokens.csv"))
	if err == nil {
		token, _, _ := strings.Cut(string(data), ",")
		return token, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	token := rand.Text()
	return token, os.WriteFile(d.Path("tokens.csv"), []byte(token+",admin,admin,system:masters\n"), 0o600)
}

// Kubeconfig is where the administrator's kubeconfig is.
func (d Dir) Kubeconfig() string { return d.Path("kubeconfig") }

// WriteKubeconfig writes the administrator's kubeconfig. It holds certificate and token themselves, so it can be copied.
func (d Dir) WriteKubeconfig(ports Ports, token string) error {
	ca, err := os.ReadFile(d.Path("pki", "ca.crt"))
	if err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: devcluster
  cluster:
    server: https://%s
    certificate-authority-data: %s
users:
- name: admin
  user:
    token: %s
contexts:
- name: devcluster
  context:
    cluster: devcluster
    user: admin
current-context: devcluster
`, ports.Address(APIServer), base64.StdEncoding.EncodeToString(ca), token)
	return os.WriteFile(d.Kubeconfig(), []byte(text), 0o600)
}

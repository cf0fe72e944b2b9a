package state

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
)

// Secrets are generated once per folder, so that browsers and scripts that use them keep working after a restart.
type Secrets struct {
	Token           string // ORCHESTRATOR_TOKEN; may be several, comma-separated
	WebhookSecret   string
	MonitorUser     string
	MonitorPassword string
}

// EnsureSecrets returns the folder's secrets and generates missing ones. Values from the environment take precedence and are
// not stored.
func (d Dir) EnsureSecrets(getenv func(string) string) (Secrets, error) {
	kept, err := d.keptSecrets()
	if err != nil {
		return Secrets{}, fmt.Errorf("read or create the secrets in the state folder: %w", err)
	}
	pick := func(name string) string {
		if given := getenv(name); given != "" {
			return given
		}
		return kept[name]
	}
	return Secrets{pick("ORCHESTRATOR_TOKEN"), pick("ORCH_WEBHOOK_SECRET"), pick("ORCH_MONITOR_USER"), pick("ORCH_MONITOR_PASSWORD")}, nil
}

func (d Dir) keptSecrets() (map[string]string, error) {
	path := d.Path("secrets.env")
	kept, err := readEnv(path)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return kept, err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: see its documentation
	if err := writeEnv(path, [][2]string{
		{"ORCHESTRATOR_TOKEN", rand.Text()},
		{"ORCH_WEBHOOK_SECRET", "whsec_" + base64.StdEncoding.EncodeToString(key)},
		{"ORCH_MONITOR_USER", "admin"},
		{"ORCH_MONITOR_PASSWORD", rand.Text()[:16]},
	}); err != nil {
		return nil, err
	}
	return readEnv(path)
}

// Package state keeps what the service on this machine has on disk: one folder, readable by its owner alone.
package state

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Dir is the folder.
type Dir string

// Path is a file in the folder.
func (d Dir) Path(names ...string) string {
	return filepath.Join(append([]string{string(d)}, names...)...)
}

// Make makes the folder and returns it with its absolute path, which children need.
func (d Dir) Make() (Dir, error) {
	abs, err := filepath.Abs(string(d))
	if err != nil {
		return d, fmt.Errorf("state folder %s: %w", d, err)
	}
	for _, dir := range []string{abs, filepath.Join(abs, "logs")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return d, fmt.Errorf("state folder %s: %w; choose another one with --state", d, err)
		}
	}
	return Dir(abs), nil
}

// Log is the log of a child.
func (d Dir) Log(name string) string { return d.Path("logs", name+".log") }

// Client is what a command needs to speak to the service.
type Client struct{ URL, Token string }

// ClientFile is where [Client] is while the service runs.
func (d Dir) ClientFile() string { return d.Path("client.env") }

// WriteClient lets commands find the service.
func (d Dir) WriteClient(c Client) error {
	return writeEnv(d.ClientFile(), [][2]string{{"ORCHESTRATOR_URL", c.URL}, {"ORCHESTRATOR_TOKEN", c.Token}})
}

// ReadClient finds the service. The error is os.ErrNotExist where none runs.
func (d Dir) ReadClient() (Client, error) {
	values, err := readEnv(d.ClientFile())
	return Client{values["ORCHESTRATOR_URL"], values["ORCHESTRATOR_TOKEN"]}, err
}

// RemoveClient says that the service has stopped.
func (d Dir) RemoveClient() { _ = os.Remove(d.ClientFile()) } // a file that stays only leads to nobody

// writeEnv replaces a file of variables in one go. The values are ours: they need no quotes.
func writeEnv(path string, values [][2]string) error {
	var b strings.Builder
	for _, kv := range values {
		fmt.Fprintf(&b, "%s=%s\n", kv[0], kv[1])
	}
	return WriteFile(path, []byte(b.String()))
}

// WriteFile replaces a file in one go, readable by its owner alone: a crash leaves the old one or the new one.
func WriteFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func readEnv(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	values := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			values[key] = value
		}
	}
	return values, nil
}

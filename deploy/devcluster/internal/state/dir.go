// Package state keeps what a cluster has on disk: its folder, who runs it, its ports, its keys and its kubeconfig.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is the absolute path of a cluster's folder.
type Dir string

// owned are the entries of the folder that are ours to make and to remove.
var owned = []string{
	"etcd", "kwok", "logs", "pki", "run", "kubeconfig", "lock", "ports.json", "shop-admin", "tokens.csv",
}

// Path returns the path of something inside the folder.
func (d Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// Resolve makes the path absolute, without links, so that the same folder always has the same name.
func Resolve(path string) (Dir, error) {
	if path == "" {
		return "", errors.New("no folder given: say --dir DIR")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	return Dir(abs), nil
}

// Create makes the folder and those inside it, readable by its owner alone. A folder that holds other things is refused,
// since taking it would close it to everybody else.
func Create(path string) (Dir, error) {
	dir, err := Resolve(path)
	if err != nil {
		return "", err
	}
	if err := dir.refuseForeign(); err != nil {
		return "", err
	}
	for _, sub := range []string{"", "etcd", "kwok", "logs", "pki", "run"} {
		if err := os.MkdirAll(dir.Path(sub), 0o700); err != nil {
			return "", fmt.Errorf("make the cluster's folder: %w", err)
		}
	}
	if err := os.Chmod(string(dir), 0o700); err != nil {
		return "", fmt.Errorf("make the cluster's folder private: %w", err)
	}
	return Resolve(string(dir)) // again: it exists now, so links in it can be followed
}

func (d Dir) refuseForeign() error {
	info, err := os.Stat(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the cluster's folder: %w", err)
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return fmt.Errorf("look at the cluster's folder: %w", err)
	}
	private := info.Mode().Perm()&0o077 == 0
	if private || len(entries) == 0 || d.has("ports.json") {
		return nil
	}
	return fmt.Errorf("%s holds other things and is not private: give the cluster a folder of its own", d)
}

func (d Dir) has(name string) bool {
	_, err := os.Stat(d.Path(name))
	return err == nil
}

// Remove deletes what belongs to the cluster, and the folder when nothing else is in it. The caller has made sure, by
// holding the lock, that nothing runs.
func (d Dir) Remove() error {
	for _, name := range owned {
		if err := os.RemoveAll(d.Path(name)); err != nil {
			return fmt.Errorf("remove the cluster's state: %w", err)
		}
	}
	_ = os.Remove(string(d)) // fails when something of others is in it, which then stays
	return nil
}

// TurnLogs puts the logs of the run before aside, so that they do not grow for ever.
func (d Dir) TurnLogs() error {
	logs, err := filepath.Glob(d.Path("logs", "*.log"))
	if err != nil {
		return err
	}
	for _, log := range logs {
		if err := os.Rename(log, log+".old"); err != nil {
			return fmt.Errorf("put the old log aside: %w", err)
		}
	}
	return nil
}

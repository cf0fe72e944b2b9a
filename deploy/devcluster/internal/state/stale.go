package state

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ReapStale kills what a killed run has left behind, and returns the names of what it killed. A process counts as left
// behind only when its command line names this folder: process ids are used again. The caller holds the lock.
func (d Dir) ReapStale() ([]string, error) {
	files, err := filepath.Glob(d.Path("run", "*.pid"))
	if err != nil {
		return nil, err
	}
	var killed []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pid")
		pid, err := readPid(file)
		if err == nil && strings.Contains(commandLine(pid), string(d)) {
			if err := killAndWait(pid); err != nil {
				return killed, fmt.Errorf("%s of an earlier run: %w", name, err)
			}
			killed = append(killed, name)
		}
		_ = os.Remove(file)
	}
	return killed, nil
}

// commandLine returns the process's arguments, or "" when it does not exist.
func commandLine(pid int) string {
	if runtime.GOOS == "linux" {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return strings.ReplaceAll(string(data), "\x00", " ")
	}
	out, _ := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return string(out)
}

func killAndWait(pid int) error {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if commandLine(pid) == "" { // gone, or a zombie that only waits for its parent
			return nil
		}
	}
	return fmt.Errorf("process %d does not end: look at it by hand", pid)
}

package state

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Lock says that one process runs the cluster of a folder. The kernel lets it go when that process dies, however it dies.
type Lock struct{ file *os.File }

// RunningError says that the cluster of the folder is being run.
type RunningError struct {
	Dir Dir
	Pid int // 0 when it has only just begun
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("a cluster runs in %s already (process %d): stop it with devcluster down --dir %s", e.Dir, e.Pid, e.Dir)
}

// Acquire takes the folder for this process, and fails with a RunningError when another one has it.
func (d Dir) Acquire() (*Lock, error) {
	f, err := os.OpenFile(d.Path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the cluster's folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, &RunningError{Dir: d, Pid: d.holder()}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return &Lock{f}, d.writeHolder(f)
}

func (d Dir) writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return nil
}

// holder reads who has the lock. The file is only to be believed while the lock is held.
func (d Dir) holder() int {
	pid, _ := readPid(d.Path("lock"))
	return pid
}

// Release lets the folder go.
func (l *Lock) Release() { l.file.Close() }

// StopRunning ends the process that runs the cluster and returns once it has let the folder go: after SIGTERM, or after
// SIGKILL when that does not help within patience. It reports whether there was one.
func (d Dir) StopRunning(patience time.Duration) (bool, error) {
	if !d.has("lock") {
		return false, nil
	}
	lock, err := d.Acquire()
	if err == nil {
		lock.Release()
		return false, nil
	}
	var running *RunningError
	if !errors.As(err, &running) {
		return false, err
	}
	// The lock is held, so the process id beside it is that of its holder and of no other process.
	if running.Pid <= 0 {
		return false, fmt.Errorf("%s is locked but names no process: try again", d.Path("lock"))
	}
	if err := syscall.Kill(running.Pid, syscall.SIGTERM); err != nil {
		return false, fmt.Errorf("stop process %d: %w", running.Pid, err)
	}
	if d.waitFree(patience) {
		return true, nil
	}
	_ = syscall.Kill(running.Pid, syscall.SIGKILL)
	if !d.waitFree(5 * time.Second) {
		return false, fmt.Errorf("process %d does not end: look at it by hand", running.Pid)
	}
	return true, nil
}

// waitFree polls, since a lock has no way of being waited for with a limit.
func (d Dir) waitFree(limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		lock, err := d.Acquire()
		if err == nil {
			lock.Release()
			return true
		}
	}
	return false
}

func readPid(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s holds no process id", path)
	}
	return pid, nil
}

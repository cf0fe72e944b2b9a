package state

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Lock ensures that one service at a time runs on the folder. The kernel releases the lock when the process ends, even by a
// crash.
func (d Dir) Lock() (release func(), err error) {
	f, err := os.OpenFile(d.Path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder %s: %w", d, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(f.Name())
		f.Close()
		return nil, fmt.Errorf("a service is already running in %s (process %s): use it, stop it with Ctrl-C, or choose another folder with --state",
			d, strings.TrimSpace(string(holder)))
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only for the error message above
	}
	return func() { f.Close() }, nil
}

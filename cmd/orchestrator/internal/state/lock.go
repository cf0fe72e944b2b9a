package state

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Lock makes sure that one service at a time runs on the folder. The kernel takes the lock back when the process ends,
// however it ends.
func (d Dir) Lock() (release func(), err error) {
	f, err := os.OpenFile(d.Path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder %s: %w", d, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(f.Name())
		f.Close()
		return nil, fmt.Errorf("the service runs already in %s (process %s): use it, end it with Ctrl-C, or choose another folder with --state",
			d, strings.TrimSpace(string(holder)))
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only for whoever comes second
	}
	return func() { f.Close() }, nil
}

package process

import "syscall"

// attributes puts the child in a process group of its own, so that Ctrl-C reaches only the parent, which then ends its
// children in order; and lets the kernel end the child when the parent is gone.
func attributes(orphan syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: orphan}
}

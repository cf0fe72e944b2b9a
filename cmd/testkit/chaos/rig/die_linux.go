package rig

import "syscall"

// dieWithParent makes the kernel kill a child when the thread ends that started it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

package supervise

import "syscall"

const terminate = syscall.SIGTERM

// childAttributes puts the child in a process group of its own, so that Ctrl-C at a terminal reaches only the parent, which
// then ends its children in order; and lets the kernel kill the child when the parent is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

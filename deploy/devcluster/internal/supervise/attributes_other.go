//go:build unix && !linux

package supervise

import "syscall"

const terminate = syscall.SIGTERM

// childAttributes puts the child in a process group of its own, so that Ctrl-C at a terminal reaches only the parent, which
// then ends its children in order. What a killed parent leaves behind is ended at the next start (state.ReapStale).
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

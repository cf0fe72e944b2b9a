package redistest

import "syscall"

// dieWithParent ends a server whose test binary panicked or was killed, and so never came to its cleanup.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

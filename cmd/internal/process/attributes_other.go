//go:build unix && !linux

package process

import "syscall"

// attributes puts the child in a process group of its own, so that Ctrl-C reaches only the parent, which then ends its
// children in order.
func attributes(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

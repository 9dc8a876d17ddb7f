//go:build !linux

package process

import "syscall"

// sysProcAttr gives a program its own process group, so that a Ctrl-C in the terminal reaches the
// starter alone, which then ends its programs in order.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

package process

import "syscall"

// sysProcAttr gives a program its own process group, so that a Ctrl-C in the terminal reaches the
// starter alone (which then ends its programs in order), and lets the kernel end it with the starter.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

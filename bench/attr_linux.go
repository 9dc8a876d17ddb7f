package main

import "syscall"

// sysProcAttr lets the kernel end a process with the one that measures.
func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

//go:build !unix

package session

// readiness is nil: here one reads and waits inside of the read.
func readiness() func(uintptr) bool { return nil }

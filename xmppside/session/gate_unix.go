//go:build unix

package session

import "golang.org/x/sys/unix"

// readiness gives the question whether something can be read from a descriptor, or its end be seen.
func readiness() func(uintptr) bool {
	var asked [1]unix.PollFd // kept, so that asking allocates nothing
	return func(fd uintptr) bool {
		for {
			asked[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
			n, err := unix.Poll(asked[:], 0)
			if err == unix.EINTR {
				continue
			}
			return n != 0 || err != nil // of an error, the read knows more
		}
	}
}

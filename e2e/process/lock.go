package process

import (
	"fmt"
	"os"
	"syscall"
)

// Lock takes an advisory lock on the file at path, waiting for another process that holds it. The
// returned function releases it; the kernel does so too when this process dies.
func Lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}

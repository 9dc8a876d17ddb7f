//go:build unix

package database

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// fileLock is a locked file. The kernel gives the lock free when the process is gone. The file stays: removing it would let two processes lock two files of one name.
type fileLock struct{ file *os.File }

// lockFile is kept apart from the database's own file, whose locks SQLite would lose when another descriptor of it is closed.
func lockFile(path string) (holder, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		text := make([]byte, 20)
		n, _ := file.ReadAt(text, 0)
		_ = file.Close()
		if pid := strings.TrimSpace(string(text[:n])); pid != "" {
			return nil, fmt.Errorf("%w (process %s holds %s)", ErrInUse, pid, path)
		}
		return nil, fmt.Errorf("%w (%s is locked)", ErrInUse, path)
	} else if err != nil {
		_ = file.Close()
		return nil, err
	}
	// Only for the message above: whether it can be written (a full disk) does not matter.
	if err = file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &fileLock{file}, nil
}

func (*fileLock) lost() <-chan struct{} { return nil }

func (l *fileLock) release() error { return l.file.Close() }

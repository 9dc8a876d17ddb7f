package chaos

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// disk is a small file system of its own for the bridge's database, to be filled to the last byte. Making one takes the rights of an administrator.
type disk struct{ dir string }

const diskSize = "size=24m"

// newDisk mounts one for the length of the test, or returns nil where that is not allowed.
func newDisk(t testing.TB) *disk {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("chaos", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, diskSize); err != nil {
		t.Logf("no disk is filled in this run: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("the small disk stays: %v", err)
		}
	})
	return &disk{dir: dir}
}

func (d *disk) file(name string) string { return filepath.Join(d.dir, name) }

// fill leaves no room on the disk.
func (d *disk) fill() error {
	ballast, err := os.OpenFile(d.file("ballast"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer ballast.Close()
	block := make([]byte, 1<<16)
	for {
		if _, err = ballast.Write(block); errors.Is(err, syscall.ENOSPC) {
			if len(block) == 1 {
				return nil
			}
			block = block[:len(block)/2]
		} else if err != nil {
			return err
		}
	}
}

// empty makes room again.
func (d *disk) empty() error {
	err := os.Remove(d.file("ballast"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

package synapse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"matrix-messenger/e2e/process"
)

// ErrCannot says why Synapse cannot be installed here.
var ErrCannot = errors.New("needs root and debootstrap")

// Debian's mirror and distribution that it is taken from. Only unstable has it, so its version is what is there on the day of the installation.
const (
	mirror       = "http://deb.debian.org/debian"
	distribution = "sid"
)

// Root is the folder of an installed system, the root directory of what runs in it.
type Root string

// Install returns the system, making it when it is not in the cache (a minute, and 600 MB). progress gets a line for each step; nil: silent. Several processes may call
// it at the same time: one installs, the others wait.
func Install(ctx context.Context, progress func(line string)) (Root, error) {
	cache, err := process.CacheDir("synapse")
	if err != nil {
		return "", err
	}
	unlock, err := process.Lock(filepath.Join(cache, "root.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	root := filepath.Join(cache, "root")
	if _, err := os.Stat(root); err == nil {
		return Root(root), nil
	}
	if _, err := exec.LookPath("debootstrap"); err != nil || os.Getuid() != 0 {
		return "", fmt.Errorf("install Synapse: %w", ErrCannot)
	}
	// Made aside and renamed, so that an interrupted installation leaves nothing that looks complete.
	aside, err := os.MkdirTemp(cache, "installing-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(aside)
	if err := os.Chmod(aside, 0o755); err != nil {
		return "", err
	}
	for _, step := range []process.Spec{
		{Name: "installing a small Debian", Path: "debootstrap", Args: []string{"--variant=minbase", distribution, aside, mirror}},
		{
			Name: "installing Synapse", Path: "chroot", Env: []string{"DEBIAN_FRONTEND=noninteractive"},
			Args: []string{aside, "apt-get", "install", "-y", "--no-install-recommends", "matrix-synapse"},
		},
	} {
		step.OnLine = progress
		if err := process.Run(ctx, step); err != nil {
			return "", err
		}
	}
	return Root(root), os.Rename(aside, root)
}

// Version is that of the package.
func (r Root) Version(ctx context.Context) (string, error) {
	text, err := exec.CommandContext(ctx, "chroot", string(r), "dpkg-query", "-W", "-f", "${Version}", "matrix-synapse").Output()
	return string(text), err
}

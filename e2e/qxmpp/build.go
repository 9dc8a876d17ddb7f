package qxmpp

import (
	"context"
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"matrix-messenger/e2e/process"
)

//go:embed client/client.cpp
var source []byte

// ErrMissing says that the machine has no QXmpp or no C++ compiler.
var ErrMissing = errors.New("libqxmpp-dev not installed")

// modules are what the program is made of, by pkg-config's names; they come from libqxmpp-dev and
// qtbase5-dev.
var modules = []string{"qxmpp", "Qt5Core", "Qt5Network", "Qt5Xml"}

// Build compiles the program into dir and returns its path, or ErrMissing.
func Build(ctx context.Context, dir string) (string, error) {
	compiler, err := exec.LookPath("g++")
	if err != nil {
		return "", ErrMissing
	}
	flags, err := exec.CommandContext(ctx, "pkg-config", append([]string{"--cflags", "--libs"}, modules...)...).Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", ErrMissing // pkg-config, or what it was asked for
	}
	file, program := filepath.Join(dir, "client.cpp"), filepath.Join(dir, "qxmpp-client")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return "", err
	}
	args := append([]string{"-std=c++17", "-Wall", "-Wextra", "-Werror", "-fPIC", file, "-o", program}, strings.Fields(string(flags))...)
	return program, process.Run(ctx, process.Spec{Name: "g++", Path: compiler, Args: args})
}

package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// RepoRoot returns the folder of the root module, looked for upwards from the working directory.
func RepoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module matrix-messenger\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside the matrix-messenger source tree")
		}
		dir = parent
	}
}

// CacheDir returns a folder below the repository's .cache that survives runs, making it if needed.
func CacheDir(name string) (string, error) {
	root, err := RepoRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".cache", name)
	return dir, os.MkdirAll(dir, 0o755)
}

package dendrite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"matrix-messenger/e2e/process"
)

// Programs is where the built programs are.
type Programs struct {
	Server       string
	GenerateKeys string
}

// Build returns the programs, building them when this version is not in the cache yet (some two
// minutes and a gigabyte of Go's caches on a cold machine). progress gets a line for each step of the
// compiler; nil: silent. Several processes may call it at the same time: one builds, the others wait.
func Build(ctx context.Context, progress func(line string)) (Programs, error) {
	root, err := process.RepoRoot()
	if err != nil {
		return Programs{}, err
	}
	module := filepath.Join(root, "e2e", "tools")
	version, err := fingerprint(filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum"))
	if err != nil {
		return Programs{}, err
	}
	cache, err := process.CacheDir("dendrite")
	if err != nil {
		return Programs{}, err
	}
	unlock, err := process.Lock(filepath.Join(cache, version+".lock"))
	if err != nil {
		return Programs{}, err
	}
	defer unlock()

	dir := filepath.Join(cache, version)
	programs := Programs{Server: filepath.Join(dir, "dendrite"), GenerateKeys: filepath.Join(dir, "generate-keys")}
	if _, err := os.Stat(dir); err == nil {
		return programs, nil
	}
	// Built aside and renamed, so that an interrupted build leaves nothing that looks complete.
	aside, err := os.MkdirTemp(cache, "building-")
	if err != nil {
		return Programs{}, err
	}
	defer os.RemoveAll(aside)
	if err := os.Chmod(aside, 0o755); err != nil {
		return Programs{}, err
	}
	err = process.Run(ctx, process.Spec{
		Name: "building the homeserver", Path: "go", Dir: module, OnLine: progress,
		Args: []string{"build", "-v", "-o", aside + string(filepath.Separator), "tool"},
	})
	if err != nil {
		return Programs{}, err
	}
	return programs, os.Rename(aside, dir)
}

// fingerprint names a build by what goes into it.
func fingerprint(files ...string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

package bridge

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"matrix-messenger/e2e/process"
)

// built remembers what this process has compiled: a program does not change during a test run.
var built struct {
	sync.Mutex
	programs map[string]string
}

// Build compiles a program of the root module (./cmd/<name>), once in the life of this process, and
// returns its path. Go's build cache makes a repeat cheap; other processes that build it wait. progress
// gets the compiler's lines; nil: silent.
func Build(ctx context.Context, name string, progress func(line string)) (string, error) {
	built.Lock()
	defer built.Unlock()
	if program, ok := built.programs[name]; ok {
		return program, nil
	}
	program, err := compile(ctx, name, progress)
	if err != nil {
		return "", err
	}
	if built.programs == nil {
		built.programs = map[string]string{}
	}
	built.programs[name] = program
	return program, nil
}

func compile(ctx context.Context, name string, progress func(line string)) (string, error) {
	root, err := process.RepoRoot()
	if err != nil {
		return "", err
	}
	kind := "plain"
	args := []string{"build", "-v", "-tags", "goolm"}
	if raceEnabled {
		kind = "race"
		args = append(args, "-race")
	}
	cache, err := process.CacheDir(filepath.Join("programs", kind))
	if err != nil {
		return "", err
	}
	unlock, err := process.Lock(filepath.Join(cache, name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	// Renamed over the old program, which may be running in another test.
	aside := filepath.Join(cache, name+".new")
	err = process.Run(ctx, process.Spec{
		Name: "building " + name, Path: "go", Dir: root, OnLine: progress,
		Args: append(args, "-o", aside, "./cmd/"+name),
	})
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache, name)
	return program, os.Rename(aside, program)
}

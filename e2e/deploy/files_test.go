package deploy

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrix-messenger/e2e/bridge"
	"matrix-messenger/e2e/process"

	"gopkg.in/yaml.v3"
)

// patience is the safety net of a whole test; building the programs is the longest part.
const patience = 20 * time.Minute

// must ends the test when a step failed.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file is the path of a file below deploy/.
func file(t *testing.T, name string) string {
	t.Helper()
	root, err := process.RepoRoot()
	must(t, err)
	return filepath.Join(root, "deploy", filepath.FromSlash(name))
}

// read returns a file below deploy/.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(file(t, name))
	must(t, err)
	return string(text)
}

// parse returns a YAML file below deploy/ as sections.
func parse(t *testing.T, name string) map[string]any {
	t.Helper()
	var sections map[string]any
	must(t, yaml.Unmarshal([]byte(read(t, name)), &sections))
	return sections
}

// value is what stands at a path of keys, or nil.
func value(sections any, path ...string) any {
	for _, key := range path {
		section, ok := sections.(map[string]any)
		if !ok {
			return nil
		}
		sections = section[key]
	}
	return sections
}

// replaced writes a file below deploy/ to a place of the test's, with texts exchanged as an admin does. Each has to be there.
func replaced(t *testing.T, name, to string, exchange map[string]string) {
	t.Helper()
	text := read(t, name)
	for from, with := range exchange {
		if !strings.Contains(text, from) {
			t.Fatalf("%s has no %q", name, from)
		}
		text = strings.ReplaceAll(text, from, with)
	}
	must(t, os.WriteFile(to, []byte(text), 0o600))
}

// program builds a program of the project.
func program(t *testing.T, ctx context.Context, name string) string {
	t.Helper()
	path, err := bridge.Build(ctx, name, nil)
	must(t, err)
	return path
}

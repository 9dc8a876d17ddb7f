package lint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// named finds the tests that docs/features.md appeals to, defined those there are.
	named   = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	defined = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
)

func TestEveryTestThatTheFeatureListNamesExists(t *testing.T) {
	root := filepath.Join("..", "..")
	list, err := os.ReadFile(filepath.Join(root, "docs", "features.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := named.FindAllStringSubmatch(string(list), -1)
	if len(found) < 30 {
		t.Fatalf("the list names %d tests only", len(found))
	}
	there := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, test := range defined.FindAllStringSubmatch(string(source), -1) {
			there[test[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		if !there[name[1]] {
			t.Errorf("docs/features.md names %s, which does not exist", name[1])
		}
	}
}

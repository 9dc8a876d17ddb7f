package lint

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// MaxLines is how long a file of Go code may be; a file is one idea.
const MaxLines = 450

// skippedDirs hold what is not ours to keep short.
var skippedDirs = map[string]bool{".git": true, ".cache": true, "bin": true, "node_modules": true, "testdata": true}

// CheckLengths returns a sentence for every Go file below tree, tests excepted, that is too long.
func CheckLengths(tree fs.FS) ([]string, error) {
	var found []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skippedDirs[path.Base(name)]:
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		if lines := bytes.Count(data, []byte("\n")); lines > MaxLines {
			found = append(found, fmt.Sprintf("%s has %d lines, more than %d", name, lines, MaxLines))
		}
		return nil
	})
	return found, err
}

package lint

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// place is a rule about what may stand in one file only, so that it is found and changed in one place.
type place struct {
	imported string // import path
	file     string // the only file, tests excepted, that may import it
	why      string
}

// places are the rules of CheckPlaces.
var places = []place{
	{imported: Module + "/xmppside/messenger", file: "bridge/profile.go", why: "another service is one line there"},
	{imported: Module + "/xmppside/jidlookup", file: "xmppside/messenger/directory.go", why: "only Messenger has this search"},
}

// CheckPlaces returns a sentence for every Go file below tree, tests excepted, that holds what belongs into another file
// alone.
func CheckPlaces(tree fs.FS) ([]string, error) {
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
		sentences, err := misplaced(tree, name)
		found = append(found, sentences...)
		return err
	})
	return found, err
}

// misplaced applies the rules to one file.
func misplaced(tree fs.FS, name string) ([]string, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		for _, p := range places {
			if imported == p.imported && name != p.file {
				found = append(found, fmt.Sprintf("%s imports %s, which only %s may: %s", name, imported, p.file, p.why))
			}
		}
	}
	return found, nil
}

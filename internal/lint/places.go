package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// place is a rule about a package that may be imported by one file only.
type place struct {
	imported string // import path
	file     string // the only file, tests excepted, that may import it
	why      string
}

// word is a rule about what may not stand in the string constants of a folder.
type word struct {
	text   *regexp.Regexp
	folder string   // with what is below it
	except []string // folders below it
	why    string
}

// places are the rules of CheckPlaces.
var places = []place{
	{imported: Module + "/xmppside/messenger", file: "bridge/profile.go", why: "another service is one line there"},
	{imported: Module + "/xmppside/jidlookup", file: "xmppside/messenger/directory.go", why: "only Messenger has this search"},
}

// words are the rules of CheckPlaces.
var words = []word{
	{text: regexp.MustCompile("Messenger"), folder: "bridge", why: "texts take the service's name from bridge/profile.go"},
	{text: regexp.MustCompile("Messenger"), folder: "xmppside", except: []string{"xmppside/messenger", "xmppside/jidlookup"}, why: "texts take the service's name from the profile"},
	{text: regexp.MustCompile("Messenger"), folder: "oauth", why: "pages take the service's name from whoever uses them"},
	{text: regexp.MustCompile(`network\.[a-z]`), folder: "xmppside", why: "how the operator's file spells a setting is the caller's to say"},
}

// CheckPlaces returns a sentence for everything in a Go file below tree, tests excepted, that belongs into another file
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
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	imports := make(map[*ast.BasicLit]bool)
	var found []string
	for _, spec := range file.Imports {
		imports[spec.Path] = true
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
	ast.Inspect(file, func(n ast.Node) bool {
		constant, ok := n.(*ast.BasicLit)
		if !ok || constant.Kind != token.STRING || imports[constant] {
			return true
		}
		for _, w := range words {
			if within(name, w.folder) && !withinAny(name, w.except) && w.text.MatchString(constant.Value) {
				found = append(found, fmt.Sprintf("%s says %s: %s", set.Position(constant.Pos()), constant.Value, w.why))
			}
		}
		return true
	})
	return found, nil
}

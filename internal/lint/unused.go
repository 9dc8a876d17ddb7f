package lint

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Compiled is what CheckUnused needs of one package: where its own, non-test files are, and the compiler's export data.
// "go list -deps -export" tells it.
type Compiled struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Export     string
}

// ReadCompiled reads what "go list -json" prints.
func ReadCompiled(r io.Reader) (list []Compiled, err error) {
	for decoder := json.NewDecoder(r); ; {
		var c Compiled
		if err = decoder.Decode(&c); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
}

// CheckUnused returns a sentence for everything exported by a package of the product (a path below root/of) that no
// file uses but tests: functions, methods, types, constants, variables and fields. Left out are methods that an
// interface anywhere asks for by their name, fields with a tag, and the exceptions: packages, or names with their
// package.
func CheckUnused(packages []Compiled, of []string, except map[string]bool) ([]string, error) {
	u := &unused{
		files: token.NewFileSet(), exports: make(map[string]string), used: make(map[string]bool), asked: make(map[string]bool),
		defined: make(map[string]string), except: except,
	}
	for _, pkg := range packages {
		u.exports[pkg.ImportPath] = pkg.Export
	}
	u.importer = importer.ForCompiler(u.files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(u.exports[path]) })
	var sentences []string
	for _, pkg := range packages {
		var err error
		switch {
		case within(pkg.ImportPath, Module):
			err = u.check(pkg, withinAny(pkg.ImportPath, own(of...)))
		case pkg.Export != "":
			err = u.ask(pkg.ImportPath)
		}
		if err != nil {
			return nil, err
		}
	}
	for place, what := range u.defined {
		if method := what[strings.LastIndexByte(what, '.')+1:]; !u.used[place] && !u.except[what] && (!strings.Contains(what, ").") || !u.asked[method]) {
			sentences = append(sentences, fmt.Sprintf("%s: nothing but tests uses %s", place[:strings.LastIndexByte(place, ':')], what))
		}
	}
	sort.Strings(sentences)
	return sentences, nil
}

type unused struct {
	files    *token.FileSet
	importer types.Importer
	exports  map[string]string // by import path
	asked    map[string]bool   // names of methods of interfaces
	used     map[string]bool   // places, see place
	defined  map[string]string // by place
	except   map[string]bool
}

// place names an object alike in the package that defines it and in one that imports it. Export data has no columns, so
// the name is in it.
func (u *unused) place(o types.Object) string {
	at := u.files.Position(o.Pos())
	return fmt.Sprintf("%s:%d:%s", at.Filename, at.Line, o.Name())
}

// ask notes what the interfaces of a package ask for.
func (u *unused) ask(path string) error {
	pkg, err := u.importer.Import(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	u.askScope(pkg.Scope())
	return nil
}

func (u *unused) askScope(scope *types.Scope) {
	for _, name := range scope.Names() {
		if o, ok := scope.Lookup(name).(*types.TypeName); ok {
			u.askType(o.Type())
		}
	}
}

func (u *unused) askType(t types.Type) {
	if i, ok := t.Underlying().(*types.Interface); ok {
		for method := range i.Methods() {
			u.asked[method.Name()] = true
		}
	}
}

// check notes what a package of the tree uses, and of the product also what it exports.
func (u *unused) check(pkg Compiled, product bool) error {
	var parsed []*ast.File
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(u.files, filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
	}
	info := &types.Info{
		Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object), Types: make(map[ast.Expr]types.TypeAndValue),
	}
	checked, err := (&types.Config{Importer: u.importer}).Check(pkg.ImportPath, u.files, parsed, info)
	if err != nil {
		return fmt.Errorf("%s: %w", pkg.ImportPath, err)
	}
	for _, o := range info.Uses {
		u.used[u.place(origin(o))] = true
	}
	for expression, value := range info.Types {
		if _, ok := expression.(*ast.InterfaceType); ok {
			u.askType(value.Type)
		}
	}
	if product && !u.except[pkg.ImportPath] {
		u.define(checked)
	}
	return nil
}

// origin is the generic form of what was instantiated.
func origin(o types.Object) types.Object {
	switch o := o.(type) {
	case *types.Func:
		return o.Origin()
	case *types.Var:
		return o.Origin()
	}
	return o
}

// define notes what a package exports.
func (u *unused) define(pkg *types.Package) {
	note := func(o types.Object, what string) {
		if o.Exported() {
			u.defined[u.place(o)] = pkg.Path() + "." + what
		}
	}
	for _, name := range pkg.Scope().Names() {
		o := pkg.Scope().Lookup(name)
		note(o, name)
		named, ok := o.Type().(*types.Named)
		if _, isType := o.(*types.TypeName); !ok || !isType {
			continue
		}
		for method := range named.Methods() {
			note(method, "("+name+")."+method.Name())
		}
		if s, ok := named.Underlying().(*types.Struct); ok {
			for i := range s.NumFields() {
				if field := s.Field(i); !field.Embedded() && s.Tag(i) == "" {
					note(field, name+"."+field.Name())
				}
			}
		}
	}
}

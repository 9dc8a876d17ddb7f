package lint

import (
	"fmt"
	"sort"
	"strings"
)

// Module is the root module's path.
const Module = "matrix-messenger"

// Package is what the import rules need to know of one package.
type Package struct {
	Path    string   // import path
	Imports []string // imported by its own, non-test files
	Deps    []string // everything it reaches, itself not included
}

// rule forbids packages (or all packages below a path) to the packages below a path.
type rule struct {
	of         string   // packages at or below this path, relative to the module
	forbidden  []string // import path prefixes; a name in the module starts with Module
	except     []string // import paths that are allowed nevertheless, with what is below them
	transitive bool     // not even through another package
	why        string
}

// matrixPackages are what must stay out of the XMPP side, xmppPackages what must stay out of the Matrix side.
var (
	matrixPackages = []string{"maunium.net", "go.mau.fi", Module + "/matrixside", Module + "/bridge"}
	xmppPackages   = []string{"mellium.im", Module + "/xmppside", Module + "/bridge"}
)

// rules are the import rules of the design, one a line of thought.
var rules = []rule{
	{of: "xmppside", forbidden: matrixPackages, transitive: true, why: "the XMPP side knows nothing of Matrix"},
	{of: "xmppside", forbidden: []string{Module + "/database", Module + "/oauth"}, transitive: true, why: "storage and sign-in reach it through interfaces"},
	{of: "matrixside", forbidden: xmppPackages, transitive: true, why: "the Matrix side knows nothing of XMPP"},
	{of: "database", forbidden: append([]string{"maunium.net", "mellium.im"}, own("bridge", "xmppside", "matrixside", "oauth", "messengerd")...), transitive: true, why: "tables know neither network"},
	{of: "database", forbidden: []string{"go.mau.fi"}, except: []string{"go.mau.fi/util/dbutil"}, why: "dbutil is all that it needs"},
	{of: "oauth", forbidden: append([]string{"mellium.im"}, own("bridge", "xmppside", "matrixside", "database", "messengerd")...), transitive: true, why: "signing in is independent of both networks"},
	{of: "messengerd", forbidden: append([]string{"maunium.net", "go.mau.fi"}, own("bridge", "xmppside", "matrixside", "database", "oauth")...), transitive: true, why: "the two ends must not share a misunderstanding"},
	{of: "messengerd", forbidden: []string{"mellium.im"}, except: []string{"mellium.im/xmpp/jid"}, why: "the service is built on its own reading of the standards"},
	{of: "bridge", forbidden: own("messengerd", "cmd", "internal", "bench"), transitive: true, why: "the bridge does not contain what it is tested with"},
	{of: "cmd/matrix-messenger", forbidden: own("messengerd", "internal", "bench"), transitive: true, why: "the program does not contain what it is tested with"},
}

func own(names ...string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = Module + "/" + name
	}
	return paths
}

// within reports whether an import path is prefix or lies below it.
func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func withinAny(path string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if within(path, prefix) {
			return true
		}
	}
	return false
}

// CheckImports returns a sentence for every import that the rules forbid, sorted.
func CheckImports(packages []Package) []string {
	var found []string
	for _, pkg := range packages {
		for _, rule := range rules {
			if !within(pkg.Path, Module+"/"+rule.of) {
				continue
			}
			reached, verb := pkg.Imports, "imports"
			if rule.transitive {
				reached, verb = pkg.Deps, "reaches"
			}
			for _, path := range reached {
				if withinAny(path, rule.forbidden) && !withinAny(path, rule.except) && !within(path, Module+"/"+rule.of) {
					found = append(found, fmt.Sprintf("%s %s %s: %s", pkg.Path, verb, path, rule.why))
				}
			}
		}
	}
	sort.Strings(found)
	return found
}

// forbiddenModules never stand in the root module's requirements: what only tests against real peers need.
var forbiddenModules = []string{"github.com/element-hq/dendrite", "github.com/matrix-org/gomatrixserverlib", "modernc.org/sqlite"}

// CheckRequirements returns a sentence for every module in the text of the root go.mod that belongs to
// the end-to-end module.
func CheckRequirements(goMod string) []string {
	var found []string
	for line := range strings.Lines(goMod) {
		for _, module := range forbiddenModules {
			if strings.Contains(line, module+" ") {
				found = append(found, "go.mod requires "+module+", which belongs into e2e/tools/go.mod")
			}
		}
	}
	return found
}

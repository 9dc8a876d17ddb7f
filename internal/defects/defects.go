// Package defects reads what a program's output shows of its defects: crashes, panics that were caught, and data races, for the tests that run the
// bridge as a process of its own.
package defects

import (
	"regexp"
	"slices"
	"strings"
)

var (
	crash  = regexp.MustCompile(`(?m)^panic: |^fatal error: |"message":"Panic|"message":"[^"]*panicked"`)
	race   = regexp.MustCompile(`(?s)WARNING: DATA RACE.*?\n==================`)
	access = regexp.MustCompile(`(?m)^(?:Previous )?(?:[Aa]tomic )?(?:[Rr]ead|[Ww]rite) at .*:\n((?:  .*\n)*)`)
	frame  = regexp.MustCompile(`(?m)^  (\S+)\(`)
	line   = regexp.MustCompile(`\{"level":[^\n]*\}\n`) // of the log
)

// at most this much of the output is told of one crash, and this many crashes and races are told.
const (
	crashBytes = 3000
	most       = 20
)

// Found are the defects that an output shows, each as its piece of the output.
type Found struct {
	Crashes    []string
	Races      []string // at least one of the two accesses was made by code of this module
	Frameworks []string // races whose accesses were both made by the framework: it has some with itself (a ghost's "is registered" flag, for one), and they are not ours to mend
}

// In finds the defects in a program's output.
func In(output string) (found Found) {
	for _, at := range crash.FindAllStringIndex(output, most) {
		found.Crashes = append(found.Crashes, output[at[0]:min(at[0]+crashBytes, len(output))])
	}
	// Both are written to one file, a report in several pieces: what other goroutines log meanwhile stands anywhere within it.
	for _, report := range race.FindAllString(line.ReplaceAllString(output, ""), most) {
		if withinFramework(report) {
			found.Frameworks = append(found.Frameworks, report)
		} else {
			found.Races = append(found.Races, report)
		}
	}
	return found
}

// Ours are the defects that this project has to mend.
func (f Found) Ours() []string { return append(append([]string(nil), f.Crashes...), f.Races...) }

// frameworks and module are whose code an access can be.
var (
	frameworks = []string{"maunium.net/", "go.mau.fi/"}
	module     = "matrix-messenger/"
)

// withinFramework tells whether the framework made both accesses; a report that cannot be read is not taken for that.
func withinFramework(report string) bool {
	accesses := access.FindAllStringSubmatch(report, -1)
	for _, a := range accesses {
		if !byFramework(a[1]) {
			return false
		}
	}
	return len(accesses) > 0
}

// byFramework tells whether the framework made an access, itself or through a library.
func byFramework(stack string) bool {
	for _, f := range frame.FindAllStringSubmatch(stack, -1) {
		switch {
		case strings.HasPrefix(f[1], module):
			return false
		case slices.ContainsFunc(frameworks, func(prefix string) bool { return strings.HasPrefix(f[1], prefix) }):
			return true
		}
	}
	return false
}

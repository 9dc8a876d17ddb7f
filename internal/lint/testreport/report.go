package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
)

// event is a line of "go test -json" (cmd/test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build-output event
	Test       string
	Output     string
}

// skip is a test that was not run and why.
type skip struct{ pkg, test, why string }

// failure is a test that failed and what it complained of.
type failure struct {
	pkg, test  string
	complaints []string
}

// What is repeated of a failure at the end, where it is seen without looking for it.
const (
	maxComplaints = 3
	maxComplaint  = 300 // bytes
)

// tally is what has been read so far.
type tally struct {
	out      io.Writer
	output   map[string][]string // what a running test printed, by package and test
	passed   int
	failed   int
	broken   int // packages that failed without a failing test: build errors, panics, time-outs
	skipped  []skip
	failures []failure
	fails    map[string]int // failed tests of a package
}

// report copies what matters from in to out and says whether anything failed.
func report(in io.Reader, out io.Writer, requirePeers bool) (failed bool, err error) {
	t := &tally{out: out, output: map[string][]string{}, fails: map[string]int{}}
	lines := bufio.NewReader(in)
	for {
		line, readErr := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprint(out, string(line)) // not an event: the go command itself speaks
			} else {
				t.take(e)
			}
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return true, readErr
		}
	}
	return t.summary(requirePeers), nil
}

func (t *tally) take(e event) {
	key := e.Package + " " + e.Test
	switch {
	case e.Action == "build-output":
		fmt.Fprint(t.out, e.Output)
	case e.Action == "output" && e.Test == "":
		if e.Output != "PASS\n" {
			fmt.Fprint(t.out, e.Output)
		}
	case e.Action == "output":
		t.output[key] = append(t.output[key], e.Output)
	case e.Test == "" && e.Action == "fail":
		if t.fails[e.Package] == 0 {
			t.broken++
		}
		t.leftOver(e.Package)
	case e.Test == "":
	case e.Action == "fail":
		t.failed++
		t.fails[e.Package]++
		fmt.Fprint(t.out, strings.Join(t.output[key], ""))
		t.failures = append(t.failures, failure{e.Package, e.Test, complaints(t.output[key])})
		delete(t.output, key)
	case e.Action == "skip":
		t.skipped = append(t.skipped, skip{e.Package, e.Test, reason(t.output[key])})
		delete(t.output, key)
	case e.Action == "pass":
		t.passed++
		delete(t.output, key)
	}
}

// leftOver prints what tests had printed that never ended, as after a panic or a time-out.
func (t *tally) leftOver(pkg string) {
	var keys []string
	for key := range t.output {
		if strings.HasPrefix(key, pkg+" ") {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	for _, key := range keys {
		fmt.Fprint(t.out, strings.Join(t.output[key], ""))
		delete(t.output, key)
	}
}

// reason is the text given to t.Skip: the line "    file.go:12: text" before "--- SKIP".
func reason(output []string) string {
	for _, line := range output {
		place, text, found := strings.Cut(strings.TrimSpace(line), ": ")
		if found && strings.Contains(place, ".go:") {
			return text
		}
	}
	return "no reason given"
}

// complaints are the first lines of the form "    file_test.go:12: text".
func complaints(output []string) (lines []string) {
	for _, line := range output {
		line = strings.TrimSpace(line)
		if place, _, found := strings.Cut(line, ": "); found && strings.Contains(place, "_test.go:") && len(lines) < maxComplaints {
			lines = append(lines, line[:min(len(line), maxComplaint)])
		}
	}
	return lines
}

func (t *tally) summary(requirePeers bool) (failed bool) {
	fmt.Fprintf(t.out, "\n%d tests passed, %d failed, %d skipped", t.passed, t.failed, len(t.skipped))
	if t.broken > 0 {
		fmt.Fprintf(t.out, ", %d packages did not build or broke off", t.broken)
	}
	fmt.Fprintln(t.out)
	for _, f := range t.failures {
		fmt.Fprintf(t.out, "  failed: %s %s\n", f.pkg, f.test)
		for _, complaint := range f.complaints {
			fmt.Fprintf(t.out, "    %s\n", complaint)
		}
	}
	missing := 0
	for _, s := range t.skipped {
		peer := strings.HasPrefix(s.why, "peer:") || strings.HasSuffix(s.why, "not installed")
		if peer {
			missing++
		}
		fmt.Fprintf(t.out, "  skipped: %s %s: %s\n", s.pkg, s.test, s.why)
	}
	if missing > 0 && requirePeers {
		fmt.Fprintf(t.out, "REQUIRE_PEERS=1: the %d tests skipped for a missing peer count as failed\n", missing)
		return true
	}
	return t.failed > 0 || t.broken > 0
}

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// row is one line of the result. All but the first may be empty.
type row struct {
	what      string
	budget    string
	measured  string
	yardstick string // the same of what does the least that one can do, in the same run
	notes     string
}

func (b *bench) add(r row) {
	b.mu.Lock()
	b.rows = append(b.rows, r)
	b.mu.Unlock()
	b.say("%s: %s", r.what, r.measured)
}

// print writes the table, in Markdown that can be read as it is.
func (b *bench) print(w io.Writer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := [][]string{{"what", "budget", "measured", "yardstick", "notes"}}
	for _, r := range b.rows {
		lines = append(lines, []string{r.what, r.budget, r.measured, r.yardstick, r.notes})
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	fmt.Fprintf(w, "%s\n\n", machine())
	for at, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(w, "|")
		if at > 0 {
			continue
		}
		for _, width := range widths {
			fmt.Fprintf(w, "|%s", strings.Repeat("-", width+2))
		}
		fmt.Fprintln(w, "|")
	}
}

// machine says what the numbers were measured on.
func machine() string {
	model := "an unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, found := strings.Cut(string(text), "model name"); found {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.Trim(line, " \t:")
		}
	}
	load := ""
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			load = ", load " + fields[0] + " at the end"
		}
	}
	return fmt.Sprintf("%s, %d processors of %s, %s/%s%s", time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, load)
}

func kib(bytes float64) string { return fmt.Sprintf("%.1f KiB", bytes/1024) }
func mib(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// times is a ratio.
func times(a, b float64) string {
	if b == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f×", a/b)
}

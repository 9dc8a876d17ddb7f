package bridge

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	// crash is what the program prints of a defect, whatever it does next.
	crash      = regexp.MustCompile(`(?m)^panic: .*|^fatal error: .*|"message":"[^"]*[Pp]anic[^"]*"`)
	raceReport = regexp.MustCompile(`(?s)WARNING: DATA RACE.*?\n==================`)
	raceAccess = regexp.MustCompile(`(?m)^(?:Previous )?(?:[Aa]tomic )?(?:[Rr]ead|[Ww]rite) at .*:\n((?:  .*\n)*)`)
	raceFrame  = regexp.MustCompile(`(?m)^  (\S+)\(`)
)

// Defects is an error when the program has crashed, recovered from a panic, or (built to look for data
// races) reported one that its own code has a part in. The framework races with itself in places (a
// ghost's "is registered" flag, for one); those are not ours to mend.
func (b *Bridge) Defects() error {
	data, err := os.ReadFile(filepath.Join(b.options.Dir, "bridge.log"))
	if err != nil {
		return err
	}
	if found := crash.FindString(string(data)); found != "" {
		return fmt.Errorf("the bridge panicked: %s", found)
	}
	if races := ownRaces(string(data)); len(races) > 0 {
		return fmt.Errorf("the bridge has %d data races; the first: %.4000s", len(races), races[0])
	}
	return nil
}

// ownRaces returns the reports in which not both accesses were made by the framework.
func ownRaces(output string) []string {
	var own []string
	for _, report := range raceReport.FindAllString(output, -1) {
		accesses := raceAccess.FindAllStringSubmatch(report, -1)
		frameworks := 0
		for _, access := range accesses {
			if isFramework(accessor(access[1])) {
				frameworks++
			}
		}
		if len(accesses) == 0 || frameworks < len(accesses) {
			own = append(own, report)
		}
	}
	return own
}

// accessor is the function that made an access, behind those of the standard library.
func accessor(stack string) string {
	for _, frame := range raceFrame.FindAllStringSubmatch(stack, -1) {
		// Packages of the standard library have no domain and are not below this module.
		first, _, below := strings.Cut(frame[1], "/")
		if below && (strings.Contains(first, ".") || first == "matrix-messenger") {
			return frame[1]
		}
	}
	return ""
}

func isFramework(function string) bool {
	return strings.HasPrefix(function, "maunium.net/") || strings.HasPrefix(function, "go.mau.fi/")
}

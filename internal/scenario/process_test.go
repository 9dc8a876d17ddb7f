package scenario

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRacesAndPanicsOfTheBridgeAreFound(t *testing.T) {
	report := func(first, second string) string {
		return "==================\nWARNING: DATA RACE\nWrite at 0x00c0001f15a0 by goroutine 85:\n  " + first + "()\n      /x.go:1 +0x1\n\n" +
			"Previous read at 0x00c0001f15a0 by goroutine 199:\n  " + second + "()\n      /y.go:2 +0x2\n==================\n"
	}
	lib, own := "maunium.net/go/mautrix/bridgev2.(*UserLogin).Save", "matrix-messenger/bridge.(*Client).run"
	for name, tt := range map[string]struct {
		output           string
		ours, frameworks int
	}{
		"nothing":                {`{"message":"fine"}`, 0, 0},
		"race in the bridge":     {report(own, own), 1, 0},
		"race with the bridge":   {report(lib, own), 1, 0},
		"race in the framework":  {report(lib, lib), 0, 1},
		"several":                {report(lib, lib) + "{}\n" + report(own, lib) + report(lib, "go.mau.fi/util/x.Y"), 1, 2},
		"panic":                  {"{}\npanic: oh\n\ngoroutine 1 [running]:\n", 1, 0},
		"panic that was caught":  {`{"level":"error","message":"Panic in handler"}`, 1, 0},
		"text about a condition": {`{"message":"do not panic: all is well"}`, 0, 0},
	} {
		file := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(file, []byte(tt.output), 0o600); err != nil {
			t.Fatal(err)
		}
		if ours, frameworks := defects(file); len(ours) != tt.ours || len(frameworks) != tt.frameworks {
			t.Errorf("%s: %d and %d, want %d and %d", name, len(ours), len(frameworks), tt.ours, tt.frameworks)
		}
	}
}

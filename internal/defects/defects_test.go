package defects

import (
	"strings"
	"testing"
)

func TestCrashesAndRacesAreFoundAndThoseOfTheFrameworkToldApart(t *testing.T) {
	const (
		own    = "matrix-messenger/bridge.(*Client).run"
		lib    = "maunium.net/go/mautrix/bridgev2.(*UserLogin).Save"
		helper = "go.mau.fi/util/exsync.(*Event).GetChan"
	)
	report := func(first, second string) string {
		return "{\"level\":\"info\"}\n==================\nWARNING: DATA RACE\nWrite at 0x00c0001f15a0 by goroutine 85:\n  " + first +
			"()\n      /x.go:1 +0x1\n  " + lib + "()\n      /y.go:1 +0x1\n\nPrevious read at 0x00c0001f15a0 by goroutine 199:\n  " + second +
			"()\n      /z.go:2 +0x2\n  " + own + "()\n      /y.go:1 +0x1\n\nGoroutine 85 (running) created at:\n  " + own + "()\n      /y.go:1 +0x1\n==================\n"
	}
	through := func(function, caller string) string { return function + "()\n      /go/src.go:1 +0x1\n  " + caller }
	const logged = "{\"level\":\"debug\",\"message\":\"Request completed\"}\n"
	amid := func(report, after string) string { return strings.Replace(report, after, after+logged, 1) }
	for name, tt := range map[string]struct {
		output                     string
		crashes, races, frameworks int
	}{
		"nothing":                             {`{"message":"fine"}`, 0, 0, 0},
		"race in the bridge":                  {report(own, own), 0, 1, 0},
		"race with the bridge":                {report(lib, own), 0, 1, 0},
		"race in the framework":               {report(lib, helper), 0, 0, 1},
		"race over the framework's map":       {report(through("runtime.mapassign_faststr", lib), lib), 0, 0, 1},
		"race over the framework's time":      {report(lib, through("time.(*Time).sec", lib)), 0, 0, 1},
		"race over the framework's logger":    {report(through("github.com/rs/zerolog.Logger.With", lib), lib), 0, 0, 1},
		"race over a logger of the bridge":    {report(through("github.com/rs/zerolog.Logger.With", own), lib), 0, 1, 0},
		"race over a map of the bridge":       {report(through("runtime.mapassign_faststr", own), lib), 0, 1, 0},
		"race that is called from the bridge": {report(lib, lib), 0, 0, 1},
		"logged amid the framework's":         {amid(report(lib, lib), "goroutine 199:\n"), 0, 0, 1},
		"logged amid a line of it":            {amid(report(lib, lib), "  maunium.net/go/"), 0, 0, 1},
		"logged amid its end":                 {strings.Replace(report(lib, lib), "x1\n=========", "x1\n========="+logged, 1) + report(lib, own), 0, 1, 1},
		"logged amid one of the bridge":       {amid(report(lib, own), "goroutine 199:\n"), 0, 1, 0},
		"logged amid a line of the bridge's":  {amid(report(lib, own), "  matrix-"), 0, 1, 0},
		"several":                             {report(lib, lib) + "{}\n" + report(own, lib) + report(lib, helper), 0, 1, 2},
		"a report that cannot be read":        {"WARNING: DATA RACE\nsomething new\n==================\n", 0, 1, 0},
		"panic":                               {"{}\npanic: oh\n\ngoroutine 1 [running]:\n", 1, 0, 0},
		"panic that was caught":               {`{"level":"error","message":"Panic in handler"}`, 1, 0, 0},
		"event handling that panicked":        {`{"level":"error","message":"Event handling panicked"}`, 1, 0, 0},
		"text about a condition":              {`{"message":"do not panic: all is well"}`, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			found := In(tt.output)
			if len(found.Crashes) != tt.crashes || len(found.Races) != tt.races || len(found.Frameworks) != tt.frameworks {
				t.Errorf("%d, %d and %d, want %d, %d and %d", len(found.Crashes), len(found.Races), len(found.Frameworks), tt.crashes, tt.races, tt.frameworks)
			}
			if len(found.Ours()) != tt.crashes+tt.races {
				t.Errorf("%q are ours", found.Ours())
			}
		})
	}
}

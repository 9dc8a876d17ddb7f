package bridge

import "testing"

func TestRacesOfTheFrameworkWithItselfAreToldApart(t *testing.T) {
	const (
		ours   = "matrix-messenger/bridge.(*presence).tell"
		theirs = "maunium.net/go/mautrix/appservice.(*IntentAPI).EnsureRegistered"
	)
	report := func(first, second string) string {
		return "{\"level\":\"info\"}\n==================\nWARNING: DATA RACE\nWrite at 0x00c0002c6451 by goroutine 309:\n  " + first +
			"()\n      /x.go:85 +0x66e\n  " + theirs + "()\n      /y.go:1 +0x1\n\nPrevious read at 0x00c0002c6451 by goroutine 289:\n  " + second +
			"()\n      /z.go:64 +0x7c\n  " + ours + "()\n      /y.go:1 +0x1\n\nGoroutine 309 (running) created at:\n  " + ours +
			"()\n      /y.go:1 +0x1\n==================\n"
	}
	for _, test := range []struct {
		name, output string
		own          int
	}{
		{"no race", "{\"level\":\"info\"}\n", 0},
		{"both accesses in the framework", report(theirs, theirs), 0},
		{"one access in our code", report(theirs, ours), 1},
		{"both in our code", report(ours, ours) + report(theirs, theirs), 1},
		{"a map of ours", report("runtime.mapassign_faststr()\n      /map.go:1 +0x1\n  "+ours, theirs), 1},
		{"a report that cannot be read", "WARNING: DATA RACE\nsomething new\n==================\n", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if found := ownRaces(test.output); len(found) != test.own {
				t.Errorf("%d races of our own, want %d", len(found), test.own)
			}
		})
	}
}

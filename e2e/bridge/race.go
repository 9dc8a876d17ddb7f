//go:build race

package bridge

// raceEnabled: tests that look for data races run a program that looks for them too.
const raceEnabled = true

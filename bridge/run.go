package bridge

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// phase is how far the program is; it only grows.
type phase struct{ atomic.Int32 }

const (
	phaseStarting = iota
	phaseRunning
	phaseEnding
)

// Run runs the bridge until a signal ends it, and then the program. Signals count from the very beginning: the framework's own Run listens to them only after
// everything has been started, and one that came just after the bridge said it was ready would end it like a crash.
func (m *Main) Run() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range signals {
			m.end(0)
		}
	}()
	m.PreInit()
	tuneDatabase(&m.Config.Database)
	m.Init()
	m.Start()
	status := m.WaitForInterrupt()
	m.Stop()
	os.Exit(status)
}

// end ends the program with an exit status: in good order when it runs, and at once while it is starting, which may wait for the homeserver for hours. Nothing
// is lost by that: a start can be interrupted at any point.
func (m *Main) end(status int) {
	if m.phase.CompareAndSwap(phaseStarting, phaseEnding) {
		_, _ = fmt.Fprintln(os.Stderr, "Ended while starting")
		os.Exit(status)
	}
	m.TriggerStop(status)
}

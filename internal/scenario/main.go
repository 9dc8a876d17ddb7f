package scenario

import (
	"io"
	"os"
	"testing"

	"matrix-messenger/internal/postgres"
)

const (
	childEnv   = "MATRIX_MESSENGER_SCENARIO_CHILD"
	readyFD    = 3 // the child writes to it when the bridge has started
	exitOrphan = 99
)

// Main is the TestMain of a package with scenarios. run is what the program's main function does; it has to call ready once the
// bridge has started, and must not return before the bridge has stopped.
func Main(m *testing.M, run func(ready func())) {
	if os.Getenv(childEnv) == "" {
		runSideBySide()
		code := m.Run()
		postgres.Stop()
		os.Exit(code)
	}
	go func() {
		// The test holds the other end: when it is gone, so is the bridge.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(exitOrphan)
	}()
	run(func() {
		pipe := os.NewFile(readyFD, "ready")
		_, _ = pipe.WriteString("ready\n")
		_ = pipe.Close()
	})
	os.Exit(0)
}

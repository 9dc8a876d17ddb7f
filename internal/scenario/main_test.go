package scenario_test

import (
	"os"
	"syscall"
	"testing"

	"matrix-messenger/bridge"
	"matrix-messenger/internal/scenario"
)

// signalAtReady makes the bridge get a SIGTERM at the moment when it says that it is ready.
const signalAtReady = "SCENARIO_SIGTERM_AT_READY"

func TestMain(m *testing.M) {
	scenario.Main(m, func(ready func()) {
		main := bridge.NewMain()
		started := main.PostStart
		main.PostStart = func() {
			started()
			if os.Getenv(signalAtReady) != "" {
				_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			}
			ready()
		}
		main.InitVersion("", "", "")
		main.Run()
	})
}

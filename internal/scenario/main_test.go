package scenario_test

import (
	"testing"

	"matrix-messenger/bridge"
	"matrix-messenger/internal/scenario"
)

func TestMain(m *testing.M) {
	scenario.Main(m, func(ready func()) {
		main := bridge.NewMain()
		started := main.PostStart
		main.PostStart = func() {
			started()
			ready()
		}
		main.InitVersion("", "", "")
		main.Run()
	})
}

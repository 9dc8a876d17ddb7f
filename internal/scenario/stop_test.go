package scenario_test

import (
	"testing"

	"matrix-messenger/internal/scenario"
)

func TestABridgeThatServesItsNumbersStops(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"metrics": map[string]any{"listen": "127.0.0.1:0"}}})
	s.LoginWithToken()
	s.StopBridge() // fails when the program does not end
}

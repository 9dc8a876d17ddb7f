package scenario_test

import (
	"os"
	"strings"
	"testing"

	"matrix-messenger/internal/scenario"
)

func TestSettingsOfTheEnvironmentCountAlthoughTheFileIsNotUpdated(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.StopBridge()
	key := s.File("secret.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("scenario", 4)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.ConfigWith("other.yaml", map[string]any{
		"env_config_prefix": "SCENARIO_BRIDGE_", "network.secret_key": "generate", "network.expire": "100h",
	}))
	if err == nil {
		err = os.WriteFile(s.ConfigFile(), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	// With no key at all, one that is made would be lost at the end.
	if output := s.BridgeRefuses(s.ConfigFile()); !strings.Contains(output, "network.secret_key") || !strings.Contains(output, "must be set") {
		t.Errorf("it says:\n%s", output)
	}
	s.Environ = []string{"SCENARIO_BRIDGE_NETWORK__SECRET_KEY_FILE=" + key, "SCENARIO_BRIDGE_NETWORK__EXPIRE=36h"}
	s.StartBridge()
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.RestartBridge() // what was sealed with the key is read with it
	s.SessionIsUp()
}

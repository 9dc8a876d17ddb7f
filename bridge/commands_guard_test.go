package bridge

import "testing"

func TestATokenIsNeverTakenForACommand(t *testing.T) {
	for message, want := range map[string]bool{
		"help": true, "login token": true, "start-chat mary@contoso.com": true, "": true, "Status": true, "set-pl 50": true,
		"EwAI++++////MXUVxL+Dw+hx==": false, "https://login.live.com/oauth20_desktop.srf?code=abc": false,
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": false, "code=M.R3": false,
	} {
		if got := looksLikeCommand(message); got != want {
			t.Errorf("%q: %v", message, got)
		}
	}
}

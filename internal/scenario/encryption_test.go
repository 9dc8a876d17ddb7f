package scenario_test

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// pushed are the settings for encryption whose keys come with the homeserver's transactions (MSC 2409, MSC 3202).
var pushed = map[string]map[string]any{"encryption": {
	"allow": true, "default": true, "appservice": true, "self_sign": true, "pickle_key": "a pickle key of this test",
}}

func TestAnEncryptedConversationWithKeysFromTheTransactionsSurvivesKills(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Sections: pushed})
	phone := s.UserHasPhone()
	s.LoginWithToken()
	s.ServiceSends("mary", "for your eyes only")
	room := s.Room("mary")
	phone.Reads(room, s.Ghost("mary"), "for your eyes only")
	phone.Says(room, "nobody else can read it")
	s.ContactReceives("mary", "nobody else can read it")
	s.KillBridge()
	phone.RenewsKeys(room)
	phone.Says(room, "written while the bridge was away")
	s.StartBridge()
	s.ContactReceives("mary", "written while the bridge was away")
	s.ServiceSends("mary", "got it")
	phone.Reads(room, s.Ghost("mary"), "got it")
	phone.RenewsKeys(room)
	phone.Says(room, "and once more")
	s.ContactReceives("mary", "and once more")
	asked := s.HS.Requests(func(r homeserver.Request) bool { return strings.Contains(r.Path, "/sync") })
	if len(asked) > 0 {
		t.Errorf("the bridge asked the homeserver for keys instead of waiting for them: %v", asked[0].Path)
	}
	for _, ev := range s.Alice.Messages(room) {
		if ev.Sender == s.Ghost("mary") && ev.Type != event.EventEncrypted.Type {
			t.Errorf("%s is not encrypted", ev.ID)
		}
	}
}

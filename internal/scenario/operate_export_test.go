package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/bridge/upkeep"
	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

func TestAUserGetsAFileWithWhatIsStoredOfThem(t *testing.T) {
	eachDatabase(t, func(t *testing.T, opts scenario.Options) {
		s := scenario.Start(t, opts)
		s.LoginWithToken()
		s.ServiceSends("mary", "a text that has arrived")
		s.RoomShows("mary", "a text that has arrived")
		s.UserTellsBot("presence busy at the dentist")
		s.BotSays("dentist")
		s.ServiceGoesDown()
		waiting := s.UserSends("mary", "a text that waits")
		s.BridgeHasHandledWhatIsIn("mary")
		s.UserTellsBot("export")
		var file *homeserver.Event
		within(t, func(ctx context.Context) (err error) {
			file, err = s.Alice.WaitMessage(ctx, s.BotRoom(), func(ev *homeserver.Event) bool { return ev.Sender == s.Bot() && ev.MsgType() == event.MsgFile })
			return err
		})
		media := s.HS.Media(file.Message().URL)
		if media == nil || media.ContentType != "application/json" || file.Body() != "messenger-bridge-data.json" {
			t.Fatalf("the file is %+v", file.Message())
		}
		check(t, s, media.Data, waiting.String())

		var out bytes.Buffer
		if err := upkeep.Export(t.Context(), s.ConfigFile(), s.Alice.ID.String(), &out); err != nil {
			t.Fatal(err)
		}
		check(t, s, out.Bytes(), waiting.String())
		if err := upkeep.Export(t.Context(), s.ConfigFile(), "@nobody:example.org", &out); err == nil || !strings.Contains(err.Error(), "has nothing about @nobody") {
			t.Errorf("of somebody unknown: %v", err)
		}
		// Elsewhere, where others might read along, it is not handed out.
		if _, err := s.Alice.SendText(s.Room("mary"), "!messenger export"); err != nil {
			t.Fatal(err)
		}
		s.RoomTells("mary", "only in your own room with the bot")
		// Nor where somebody has joined them since.
		if err := s.Alice.Invite(s.BotRoom(), s.HS.User("bob").ID, false); err != nil {
			t.Fatal(err)
		}
		s.UserTellsBot("export")
		s.BotSays("somebody else is in this room or invited to it")
		if err := s.Alice.Kick(s.BotRoom(), s.HS.User("bob").ID); err != nil {
			t.Fatal(err)
		}
		s.UserTellsBot("export")
		s.BotSays("messenger-bridge-data.json")
		s.ServiceComesBack()
	})
}

// check looks into a file with what is stored of the user.
func check(t *testing.T, s *scenario.Scenario, data []byte, waiting string) {
	t.Helper()
	var export struct {
		UserID    string `json:"user_id"`
		Explained string
		Framework map[string][]map[string]any
		Logins    []struct {
			LoginID string `json:"login_id"`
			Tables  map[string][]map[string]any
		}
	}
	if err := json.Unmarshal(data, &export); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if export.UserID != s.Alice.ID.String() || export.Explained == "" || len(export.Logins) != 1 || export.Logins[0].LoginID != "1000@messenger.example" {
		t.Fatalf("it is about %q, %+v", export.UserID, export.Logins)
	}
	tables := export.Logins[0].Tables
	if len(tables["contact"]) != 3 || len(tables["chat_log"]) == 0 || len(tables["credential"]) != 1 || len(export.Framework["portal"]) == 0 ||
		len(export.Framework["message"]) == 0 || len(export.Framework["ghost"]) == 0 || len(export.Framework["user"]) != 1 {
		t.Errorf("something is missing:\n%s", data)
	}
	for _, part := range []string{"a text that waits", waiting, "2000@messenger.example", "Mary", "dentist", s.Room("mary").String(), s.BotRoom().String()} {
		if !bytes.Contains(data, []byte(part)) {
			t.Errorf("%q is missing", part)
		}
	}
	for _, secret := range []string{"EwAo", "v1:", "access_token", "refresh_token", "a text that has arrived"} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%q is in it", secret)
		}
	}
}

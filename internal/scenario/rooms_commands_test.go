package scenario_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// says sends a command into a room and waits for the bot's answer there.
func says(t *testing.T, s *scenario.Scenario, room id.RoomID, command, answer string) {
	t.Helper()
	asked := len(s.Alice.Timeline(room))
	if _, err := s.Alice.SendText(room, "!messenger "+command); err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitEvent(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Index >= asked && ev.Sender == s.Bot() && (ev.Type == "m.reaction" || strings.Contains(ev.Body(), answer) && ev.IsMessage())
		})
		return err
	})
}

func TestTheBotsCommandsAboutRoomsWorkOrAreRefusedInWords(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	room := s.Room("mary")
	for _, c := range []struct{ command, answer string }{
		{"id", "2000@messenger.example"},
		{"sync-portal", "✅"},
		{"set-relay", "does not allow relay mode"},
		{"unset-relay", "doesn't have a relay"},
		{"bridge 3000@messenger.example", "already bridged"},
		{"create-portal 2000@messenger.example", "already has a Matrix room"},
		{"create-portal 9999@messenger.example", "No portal found"},
		{"resolve-identifier 3000@messenger.example", "Found"},
		{"search john", "John Doe"},
		{"list-logins", "1000@messenger.example"},
		{"set-preferred-login 1000@messenger.example", "Preferred login set"},
		{"ping-matrix", "Confirmed valid access token"},
		{"set-management-room", "This is a portal room"},
		{"create-group", "two persons"},
		{"mute 1h", "mute the room in your Matrix client"},
		{"import-image-pack https://x.example/pack", "no stickers"},
		{"remove-contact john", "Messenger"},
		{"start-chat 1000@messenger.example", "your own account"},
		{"resolve-identifier 1000@MESSENGER.example", "your own account"},
		{"discard-megolm-session", "does not encrypt"},
		{"nonsense", "nknown command"},
	} {
		says(t, s, room, c.command, c.answer)
	}
	s.NothingElseWasSaid()
}

func TestUnbridgeLetsTheRoomGoAndBridgeTakesAnother(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	old := s.Room("mary")
	if _, err := s.Alice.SendText(old, "!messenger unbridge"); err != nil {
		t.Fatal(err)
	}
	isGone(t, s, old, s.Bot())
	room, err := s.Alice.CreateRoom(homeserver.RoomOptions{Name: "Mary, in a room of mine", Invite: []id.UserID{s.Bot()}})
	if err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.ID == room && v.Joined(s.Bot()) })
		return err
	})
	says(t, s, room, "bridge --ignore-permissions 2000@messenger.example", "Successfully plumbed this room")
	s.ServiceSends("mary", "so here we are")
	shows(t, s, room, "mary", "so here we are")
	if _, err = s.Alice.SendText(room, "here we are"); err != nil {
		t.Fatal(err)
	}
	s.ContactReceives("mary", "here we are")
}

func TestADeletedChatComesBackWithTheNextMessage(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	old := s.Room("mary")
	if _, err := s.Alice.SendEvent(old, event.BeeperDeleteChat, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	isGone(t, s, old, s.Alice.ID)
	s.ServiceSends("mary", "me again")
	again := newRoomWith(t, s, "mary", old)
	shows(t, s, again, "mary", "me again")
	if _, err := s.Alice.SendText(again, "!messenger delete-chat"); err != nil {
		t.Fatal(err)
	}
	isGone(t, s, again, s.Alice.ID)
	s.UserStartsChat("mary")
	if room := s.Room("mary"); room == again || room == old {
		t.Error("the deleted room is used again")
	}
	s.UserSends("mary", "one more time")
	s.ContactReceives("mary", "one more time")
}

func TestARelayedGuestIsNamedAndAGuestWithoutRelayIsRefused(t *testing.T) {
	s := scenario.Start(t, scenario.Options{
		Bridge: map[string]any{
			"permissions": map[string]any{"@alice:example.org": "admin", "@bob:example.org": "relay"},
			"relay":       map[string]any{"enabled": true, "admin_only": false},
		},
	})
	bob := s.HS.User("bob")
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	room := s.Room("mary")
	if err := s.Alice.Invite(room, bob.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := bob.Join(room); err != nil {
		t.Fatal(err)
	}
	refused, err := bob.SendText(room, "may I?")
	if err != nil {
		t.Fatal(err)
	}
	s.NoticeOn("mary", refused, "this is a chat of @alice:example.org with one contact")
	says(t, s, room, "set-relay", "will now be relayed")
	if _, err = bob.SendText(room, "hello from Bob"); err != nil {
		t.Fatal(err)
	}
	s.ContactReceives("mary", "bob: hello from Bob")
	says(t, s, room, "unset-relay", "Stopped relaying")
	s.NothingElseWasSaid()
}

func TestOnlyThoseWhomTheAdminAllowsCanUseTheBridge(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Bridge: map[string]any{"permissions": map[string]any{"@alice:example.org": "user"}}})
	mallory := s.HS.User("mallory")
	room, err := mallory.CreateRoom(homeserver.RoomOptions{Direct: true, Invite: []id.UserID{s.Bot()}})
	if err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := mallory.WaitEvent(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Type == "m.room.member" && ev.StateKey != nil && *ev.StateKey == s.Bot().String() && ev.Get("membership") == "leave"
		})
		return err
	})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	says(t, s, s.Room("mary"), "delete-all-portals", "administrator")
	s.NothingElseWasSaid()
}

func TestChatsAreInTheUsersSpaceAndMarkedAsDirect(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	room := s.Room("mary")
	inSpace(t, s, "mary")
	view, _ := s.Alice.Room(room)
	if features := view.State("com.beeper.room_features", s.HS.Domain()+"/messenger"); features == nil {
		t.Error("the room does not tell clients what works in it")
	} else if !strings.Contains(string(features.Content), "com.matrix-messenger.") {
		t.Errorf("the features have no ID of ours: %s", features.Content)
	}
	within(t, func(ctx context.Context) error {
		_, err := s.HS.WaitRequest(ctx, func(r homeserver.Request) bool {
			return r.Endpoint == "account_data" && strings.HasSuffix(r.Path, "m.direct") && strings.Contains(string(r.Body), room.String())
		})
		return err
	})
}

// command finds the names of commands in the bot's help.
var command = regexp.MustCompile(`(?m)^\*\*([a-z-]+)\*\*`)

func TestEveryCommandOfTheBotIsInTheList(t *testing.T) {
	list, err := os.ReadFile(filepath.Join("..", "..", "docs", "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	commands := command.FindAllStringSubmatch(s.BotSays("start-chat"), -1)
	if len(commands) < 30 {
		t.Fatalf("the help names %d commands only", len(commands))
	}
	for _, name := range commands {
		if !regexp.MustCompile("`" + name[1] + "[ `]").Match(list) {
			t.Errorf("docs/commands.md does not have %s", name[1])
		}
	}
}

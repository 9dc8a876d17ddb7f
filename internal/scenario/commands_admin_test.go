package scenario_test

import (
	"context"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// tellsBot lets a second person talk to the bot in a room of their own, and waits for an answer.
func tellsBot(t *testing.T, s *scenario.Scenario, who *homeserver.User, command, answer string) id.RoomID {
	t.Helper()
	room, err := who.CreateRoom(homeserver.RoomOptions{Direct: true, Invite: []id.UserID{s.Bot()}})
	if err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := who.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.ID == room && v.Joined(s.Bot()) })
		return err
	})
	if _, err = who.SendText(room, command); err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := who.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Sender == s.Bot() && strings.Contains(ev.Body(), answer)
		})
		return err
	})
	return room
}

func TestAFilteredChatGetsNoRoomAndNothingOfItIsLost(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) {
		cfg.Accounts = append(cfg.Accounts, messengerd.AccountConfig{Email: "yan@contoso.example", Name: "Yan", Contact: true})
	}})
	s.LoginWithToken()
	for _, c := range []struct{ command, answer string }{
		{"filter", "Usage: filter"},
		{"filter sometimes 3000@messenger.example", "Usage: filter"},
		{"filter allow 3000@messenger.example", "is not on the deny list"},
		{"filter deny 3000@Messenger.example", "to deny list"},
		{"filter deny 3000@messenger.example", "is already on the deny list"},
		{"filter deny 4000@messenger.example", "to deny list"},
	} {
		s.UserTellsBot(c.command)
		s.BotSays(c.answer)
	}
	s.ServiceSends("john", "can you see this?")
	s.BotSays("A message from John Doe of")
	s.ServiceSends("john", "or this?")
	s.StrangerAsks("zoe", "Zoe from work", "")
	everythingSoFarIsHandled(s)
	s.UserTellsBot("requests")
	s.BotSays("Zoe from work — 4000@messenger.example — wants to be your contact")
	s.Service.Account("yan@contoso.example").Invite("alice@contoso.example", "Yan", "") // gets its room behind Zoe
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitInvite(ctx, func(v homeserver.RoomView) bool { return v.Name == "Yan" })
		return err
	})
	for _, name := range []string{"john", "zoe"} {
		if rooms := roomsWith(s, name); len(rooms) != 0 {
			t.Fatalf("there is a room with %s: %+v", name, rooms)
		}
	}
	s.UserTellsBot("filter allow 3000@messenger.example")
	s.BotSays("from deny list")
	s.RoomShows("john", "can you see this?", "or this?")
	s.UserTellsBot("filter allow 4000@messenger.example")
	s.BotSays("from deny list")
	s.UserIsInvited("zoe")
	if told := countSaid(s, "is not shown, because the administrator"); told != 1 {
		t.Errorf("that messages are kept back was told %d times", told)
	}
	s.NothingElseWasSaid()
}

func TestCommandsInTheNameOfOthersAndInOtherRooms(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Bridge: map[string]any{"permissions": map[string]any{
		"@alice:example.org": "admin", "@bob:example.org": "user",
	}}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	chat := s.Room("mary")

	s.UserTellsBot("sudo @bob:example.org list-logins")
	s.BotSays("User not found")
	bob := s.HS.User("bob")
	bobs := tellsBot(t, s, bob, "list-logins", "not logged in")
	for _, c := range []struct{ command, answer string }{
		{"sudo", "Usage: `!messenger sudo"},
		{"sudo bob list-logins", "Invalid user ID"},
		{"sudo @bob:example.org list-logins", "not logged in"},
		{"sudo @bob:example.org contacts", "logged in"}, // Alice's own are not listed
		{"doin", "Usage: `!messenger doin"},
		{"doin " + chat.String() + " id", "2000@messenger.example"},
		{"doin " + chat.String() + " history", "Messenger"},
		{"doin " + s.HS.Domain() + " sync-portal", "portal"},
	} {
		s.UserTellsBot(c.command)
		if answer := s.BotSays(c.answer); strings.Contains(answer, "2000@") != (c.answer == "2000@messenger.example") {
			t.Errorf("the answer to %q is %q", c.command, answer)
		}
	}
	for command, answer := range map[string]string{
		"sudo @alice:example.org contacts":   "administrator",
		"doin " + chat.String() + " id":      "You must be in the target room",
		"filter deny 3000@messenger.example": "administrator",
		"delete-portal":                      "administrator",
	} {
		saysToBot(t, s, bob, bobs, command, answer)
	}
	s.NothingElseWasSaid()
}

// saysToBot sends a command of somebody else.
func saysToBot(t *testing.T, s *scenario.Scenario, who *homeserver.User, room id.RoomID, command, answer string) {
	t.Helper()
	asked := len(who.Timeline(room))
	if _, err := who.SendText(room, command); err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := who.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Index >= asked && ev.Sender == s.Bot() && strings.Contains(ev.Body(), answer)
		})
		return err
	})
}

func TestADeletedPortalComesBackWithTheNextMessage(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("delete-portal")
	s.BotSays("portal")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	first := s.Room("mary")
	broken := s.HS.Fail(homeserver.To("kick"), 500, brokenBody, 0)
	says(t, s, first, "delete-portal", "could not be deleted at the moment")
	if _, err := s.Alice.SendText(first, "still connected?"); err != nil {
		t.Fatal(err)
	}
	s.ContactReceives("mary", "still connected?")
	broken.Remove()
	s.UserTellsBot("doin " + first.String() + " delete-portal")
	isGone(t, s, first, s.Alice.ID)
	s.ServiceSends("mary", "me again")
	second := s.NewRoomShows("mary", first, "me again")
	s.UserSends("mary", "welcome back")
	s.ContactReceives("mary", "welcome back")
	s.UserTellsBot("delete-all-portals")
	isGone(t, s, second, s.Alice.ID)
	s.ServiceSends("mary", "and again")
	s.NewRoomShows("mary", second, "and again")
	s.NothingElseWasSaid()
}

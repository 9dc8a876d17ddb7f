package scenario_test

import (
	"context"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// said are the bodies of everything that somebody wrote into a room.
func said(s *scenario.Scenario, room id.RoomID, sender id.UserID) (texts []string) {
	for _, ev := range s.Alice.Messages(room) {
		if ev.Sender == sender {
			texts = append(texts, ev.Body())
		}
	}
	return texts
}

// isGone waits until somebody has left a room.
func isGone(t testing.TB, s *scenario.Scenario, room id.RoomID, who id.UserID) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitEvent(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Type == "m.room.member" && ev.StateKey != nil && *ev.StateKey == who.String() && ev.Get("membership") == "leave"
		})
		return err
	})
}

// newRoomWith waits for another room with a contact than the old one, and joins it.
func newRoomWith(t *testing.T, s *scenario.Scenario, name string, old id.RoomID) id.RoomID {
	t.Helper()
	var room homeserver.RoomView
	within(t, func(ctx context.Context) (err error) {
		room, err = s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.ID != old && v.Has(s.Ghost(name)) && v.Type == "" })
		return err
	})
	if room.Membership == event.MembershipInvite {
		if err := s.Alice.Join(room.ID); err != nil {
			t.Fatal(err)
		}
	}
	return room.ID
}

// shows waits until a room shows a text of a contact.
func shows(t *testing.T, s *scenario.Scenario, room id.RoomID, name, text string) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool { return ev.Sender == s.Ghost(name) && ev.Body() == text })
		return err
	})
}

func TestAUserWhoLeftAChatIsNotCalledBackByTypingButByTheNextMessageOnce(t *testing.T) {
	for name, puppet := range map[string]bool{"with a double puppet": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{NoDoublePuppet: !puppet})
			s.LoginWithToken()
			s.ServiceSends("mary", "hello")
			s.RoomShows("mary", "hello")
			old := s.Room("mary")
			s.UserLeaves(old)
			isGone(t, s, old, s.Ghost("mary"))
			s.ContactTypes("mary", "composing")
			s.ServiceSends("john", "a word in between") // behind the typing
			s.RoomShows("john", "a word in between")
			if rooms := roomsWith(s, "mary"); len(rooms) != 0 {
				t.Errorf("the user was called back into %v by typing", rooms)
			}
			s.ServiceSends("mary", "are you there?", "please answer")
			room := newRoomWith(t, s, "mary", old)
			shows(t, s, room, "mary", "please answer")
			if got := said(s, room, s.Ghost("mary")); strings.Join(got, "|") != "are you there?|please answer" {
				t.Errorf("the new room shows %q", got)
			}
			if _, err := s.Alice.SendText(room, "here I am"); err != nil {
				t.Fatal(err)
			}
			s.ContactReceives("mary", "here I am")
			if rooms := roomsWith(s, "mary"); len(rooms) != 1 {
				t.Errorf("there are %d rooms with Mary", len(rooms))
			}
		})
	}
}

func TestAUserWhoRemovesTheBotGetsANewRoomWithTheNextMessage(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.BotSays("start-chat")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	old := s.Room("mary")
	if err := s.Alice.Kick(old, s.Bot()); err != nil {
		t.Fatal(err)
	}
	s.BotSays("no longer connected to Messenger")
	isGone(t, s, old, s.Ghost("mary"))
	s.ServiceSends("mary", "what was that?")
	shows(t, s, newRoomWith(t, s, "mary", old), "mary", "what was that?")
}

func TestAContactRemovedFromTheRoomStillGetsMessagesAndComesBackWithTheNext(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	room := s.Room("mary")
	if err := s.Alice.Kick(room, s.Ghost("mary")); err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Sender == s.Bot() && strings.Contains(ev.Body(), "Mary was removed from this room")
		})
		return err
	})
	if _, err := s.Alice.SendText(room, "sorry, wrong button"); err != nil {
		t.Fatal(err)
	}
	s.ContactReceives("mary", "sorry, wrong button")
	s.ServiceSends("mary", "no harm done")
	s.RoomShows("mary", "no harm done")
	if again := s.Room("mary"); again != room {
		t.Errorf("the chat has moved to another room")
	}
	s.NothingElseWasSaid()
}

func TestAnotherContactInvitedIntoAChatDeclinesAndTheRoomSaysWhy(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	room := s.Room("mary")
	if err := s.Alice.Invite(room, s.Ghost("john"), false); err != nil {
		t.Fatal(err)
	}
	isGone(t, s, room, s.Ghost("john"))
	s.RoomTells("mary", "a Messenger chat has two persons")
	s.NothingElseWasSaid()
}

func TestAContactInvitedIntoAGroupDeclines(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	group, err := s.Alice.CreateRoom(homeserver.RoomOptions{Name: "Friends", Invite: []id.UserID{s.Ghost("mary")}})
	if err != nil {
		t.Fatal(err)
	}
	isGone(t, s, group, s.Ghost("mary"))
	s.NothingElseWasSaid()
}

// upgrade replaces a room as clients do: a new room first, then a tombstone in the old one that points to it.
func upgrade(t testing.TB, s *scenario.Scenario, old id.RoomID, invite ...id.UserID) id.RoomID {
	t.Helper()
	room, err := s.Alice.CreateRoom(homeserver.RoomOptions{Invite: invite})
	if err == nil {
		_, err = s.Alice.SetState(old, event.StateTombstone, "", map[string]any{"body": "replaced", "replacement_room": room})
	}
	if err != nil {
		t.Fatal(err)
	}
	return room
}

func TestAChatFollowsItsRoomToANewerOne(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	old := s.Room("mary")
	room := upgrade(t, s, old, s.Bot())
	isGone(t, s, old, s.Ghost("mary"))
	s.ServiceSends("mary", "nice room")
	shows(t, s, room, "mary", "nice room")
	if _, err := s.Alice.SendText(room, "isn't it"); err != nil {
		t.Fatal(err)
	}
	s.ContactReceives("mary", "isn't it")
}

func TestAChatWhoseRoomWasReplacedByOneOutOfReachStaysAndSaysSo(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	upgrade(t, s, s.Room("mary")) // the bot is not invited
	s.RoomTells("mary", "another one that I cannot get into")
	s.NothingElseWasSaid()
}

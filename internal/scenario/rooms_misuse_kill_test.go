package scenario_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// hello is how the stories of this file begin: a chat, and the user in its room.
func hello() scenario.Step {
	return scenario.Step{Name: "a chat", Do: func(s *scenario.Scenario) {
		s.LoginWithToken()
		s.UserTellsBot("help")
		s.BotSays("start-chat")
		s.ServiceSends("mary", "hello")
		s.RoomShows("mary", "hello")
		s.BridgeKnowsWhatTheRoomsHave()
		s.Remember("room", s.Room("mary").String())
	}}
}

// firstRoom is the room that the chat had at first.
func firstRoom(s *scenario.Scenario) id.RoomID { return id.RoomID(s.Recall("room")) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestARoomThatWasLeftIsLetGoThoughTheBridgeIsKilledOverIt(t *testing.T) {
	for name, leave := range map[string]func(*scenario.Scenario, id.RoomID) error{
		"the user leaves":           func(s *scenario.Scenario, room id.RoomID) error { return s.Alice.Leave(room) },
		"the user kicks the bot":    func(s *scenario.Scenario, room id.RoomID) error { return s.Alice.Kick(room, s.Bot()) },
		"the user bans the bot":     func(s *scenario.Scenario, room id.RoomID) error { return s.Alice.Ban(room, s.Bot()) },
		"the user bans the contact": func(s *scenario.Scenario, room id.RoomID) error { return s.Alice.Ban(room, s.Ghost("mary")) },
	} {
		t.Run(name, func(t *testing.T) {
			scenario.Play(
				t, scenario.Options{}, hello(),
				// Whole: a bridge that is killed before it knows that the room has the first message says it again in the next room.
				scenario.Step{Name: name, Do: func(s *scenario.Scenario) { must(s.T(), leave(s, firstRoom(s))) }, Whole: true},
				scenario.Step{Name: "nobody of the bridge is left in the room", Do: func(s *scenario.Scenario) {
					isOut(s, firstRoom(s), s.Ghost("mary"))
					isOut(s, firstRoom(s), s.Bot())
				}},
				scenario.Step{Name: "the contact writes", Do: func(s *scenario.Scenario) { s.ServiceSends("mary", "what was that?", "hello?") }},
				scenario.Step{Name: "there is one new room", Do: func(s *scenario.Scenario) {
					s.NewRoomShows("mary", firstRoom(s), "what was that?", "hello?")
					if old, known := s.Alice.Room(firstRoom(s)); name == "the user leaves" && (!known || old.Has(s.Alice.ID)) {
						s.T().Errorf("the user is back in the room that they left: %+v", old.Members)
					}
				}},
			)
		})
	}
}

func TestARoomThatWasLeftIsLetGoThoughTheHomeserverFailsAndTheBridgeIsKilledOverIt(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	old := s.Room("mary")
	broken := s.HS.Fail(homeserver.To("leave"), http.StatusBadGateway, brokenBody, 0)
	s.UserLeaves(old)
	s.TableHas("messenger_departure", func(rows []string) bool { return len(rows) == 1 })
	s.KillBridge()
	s.StartBridge()
	// What the contact says waits for the room to be let go.
	tried := broken.Hits()
	s.ServiceSends("mary", "are you there?")
	within(t, func(ctx context.Context) error { return broken.WaitHits(ctx, tried+2) })
	broken.Remove()
	room := newRoomWith(t, s, "mary", old)
	shows(t, s, room, "mary", "are you there?")
	if texts := said(s, old, s.Ghost("mary")); len(texts) != 1 {
		t.Errorf("the room that was left shows %q", texts)
	}
	s.TableHas("messenger_departure", func(rows []string) bool { return len(rows) == 0 })
}

func TestARemovedContactComesBackThoughTheBridgeIsKilledOverIt(t *testing.T) {
	scenario.Play(
		t, scenario.Options{}, hello(),
		scenario.Step{Name: "the user removes the contact", Do: func(s *scenario.Scenario) { must(s.T(), s.Alice.Kick(firstRoom(s), s.Ghost("mary"))) }},
		scenario.Step{Name: "the room says what that means", Do: func(s *scenario.Scenario) {
			isTold(s, firstRoom(s), "Mary was removed from this room")
		}, Whole: true},
		scenario.Step{Name: "the contact writes", Do: func(s *scenario.Scenario) {
			s.ServiceSends("mary", "no harm done")
			s.RoomShows("mary", "no harm done")
		}},
		scenario.Step{Name: "it was said once", Do: func(s *scenario.Scenario) {
			s.NothingElseWasSaid()
			if told := noticesWith(s, firstRoom(s), "Mary was removed from this room"); told != 1 {
				s.T().Errorf("the room was told %d times", told)
			}
		}},
	)
}

func TestASecondContactDeclinesThoughTheBridgeIsKilledOverIt(t *testing.T) {
	scenario.Play(
		t, scenario.Options{}, hello(),
		scenario.Step{Name: "the user invites another contact", Do: func(s *scenario.Scenario) { must(s.T(), s.Alice.Invite(firstRoom(s), s.Ghost("john"), false)) }},
		scenario.Step{Name: "the contact declines", Do: func(s *scenario.Scenario) {
			isGone(s.T(), s, firstRoom(s), s.Ghost("john"))
			isTold(s, firstRoom(s), "a Messenger chat has two persons")
		}},
		scenario.Step{Name: "it was said once", Do: func(s *scenario.Scenario) {
			s.NothingElseWasSaid()
			if told := noticesWith(s, firstRoom(s), "a Messenger chat has two persons"); told != 1 {
				s.T().Errorf("the room was told %d times", told)
			}
		}},
	)
}

func TestAChatFollowsItsRoomThoughTheBridgeIsKilledOverIt(t *testing.T) {
	scenario.Play(
		t, scenario.Options{}, hello(),
		scenario.Step{Name: "the user upgrades the room", Do: func(s *scenario.Scenario) { s.Remember("newer", upgrade(s.T(), s, firstRoom(s), s.Bot()).String()) }, Whole: true},
		scenario.Step{Name: "the contact has left the old room", Do: func(s *scenario.Scenario) { isOut(s, firstRoom(s), s.Ghost("mary")) }},
		scenario.Step{Name: "the contact writes", Do: func(s *scenario.Scenario) { s.ServiceSends("mary", "nice room") }},
		scenario.Step{Name: "the newer room shows it", Do: func(s *scenario.Scenario) {
			if room := s.NewRoomShows("mary", firstRoom(s), "nice room"); room.String() != s.Recall("newer") {
				s.T().Errorf("the chat is in %s instead of %s", room, s.Recall("newer"))
			}
		}},
	)
}

// isOut waits until somebody is not in a room, in whatever way they got out.
func isOut(s *scenario.Scenario, room id.RoomID, who id.UserID) {
	s.T().Helper()
	within(s.T(), func(ctx context.Context) error {
		_, err := s.Alice.WaitEvent(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Type == "m.room.member" && ev.StateKey != nil && *ev.StateKey == who.String() && (ev.Get("membership") == "leave" || ev.Get("membership") == "ban")
		})
		return err
	})
}

// isTold waits until the bot says something in a room.
func isTold(s *scenario.Scenario, room id.RoomID, part string) {
	s.T().Helper()
	within(s.T(), func(ctx context.Context) error {
		_, err := s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool { return ev.Sender == s.Bot() && strings.Contains(ev.Body(), part) })
		return err
	})
}

// noticesWith counts the bot's messages in a room that contain a text.
func noticesWith(s *scenario.Scenario, room id.RoomID, part string) (n int) {
	for _, text := range said(s, room, s.Bot()) {
		if strings.Contains(text, part) {
			n++
		}
	}
	return n
}

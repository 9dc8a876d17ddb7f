package scenario_test

import (
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/scenario"
)

func TestTypingIsShownOnBothSides(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"typing": "on"}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactTypes("mary", "composing")
	s.RoomShowsTyping("mary", true)
	s.ContactTypes("mary", "paused")
	s.RoomShowsTyping("mary", false)
	s.UserTypes("mary", true)
	s.ContactSeesTyping("mary", "composing")
}

func TestContactsPresenceIsShownInMatrix(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactIsShown("mary", event.PresenceOnline, "")
	s.ContactGoes("mary", "away", "at lunch")
	s.ContactIsShown("mary", event.PresenceUnavailable, "at lunch")
	s.ContactGoes("mary", "offline", "")
	s.ContactIsShown("mary", event.PresenceOffline, "")
}

func TestAContactRequestIsAnInviteThatTheUserAcceptsByJoining(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe from work", "Hi, it's me")
	room := s.UserIsInvited("zoe")
	s.UserJoins(room.ID)
	s.RosterOf("zoe", "both")
	s.ServiceSends("zoe", "thanks")
	s.RoomShows("zoe", "thanks")
	s.NothingElseWasSaid()
}

func TestAContactRequestIsDeclinedByLeaving(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.UserLeaves(room.ID)
	s.RosterOf("zoe", "none")
}

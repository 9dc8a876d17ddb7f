package scenario_test

import (
	"context"
	"testing"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// typesAndSays lets the user type and then write, so that what the typing caused has happened before the message arrives.
func typesAndSays(t *testing.T, s *scenario.Scenario, text string) {
	t.Helper()
	s.UserTypes("mary", true)
	within(t, s.Appservice.WaitIdle)
	s.UserSends("mary", text)
	s.ContactReceives("mary", text)
}

func TestTypingIsSentOnlyToContactsWhoseProgramSendsIt(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	typesAndSays(t, s, "hello Mary")
	if state := s.Contact("mary").Typing("alice@contoso.example"); state == "composing" {
		t.Fatal("typing was sent to somebody who never sent it")
	}
	s.UserTypes("mary", false)
	s.ContactTypes("mary", "composing")
	s.RoomShowsTyping("mary", true)
	s.UserTypes("mary", true)
	s.ContactSeesTyping("mary", "composing")
	s.UserTypes("mary", false)
	s.ContactSeesTyping("mary", "paused")
}

func TestTypingIsNotSentWhenSwitchedOff(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"typing": "off"}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactTypes("mary", "composing")
	s.RoomShowsTyping("mary", true)
	typesAndSays(t, s, "hello Mary")
	if state := s.Contact("mary").Typing("alice@contoso.example"); state == "composing" {
		t.Fatal("typing was sent although it is switched off")
	}
}

func TestTypingMakesNoRoom(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ContactTypes("john", "composing")
	everythingSoFarIsHandled(s)
	if rooms := roomsWith(s, "john"); len(rooms) != 0 {
		t.Errorf("a room was made: %+v", rooms)
	}
}

func TestSomebodyStopsTypingWhenTheirMessageComes(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactTypes("mary", "composing")
	s.RoomShowsTyping("mary", true)
	s.ServiceSends("mary", "here it is")
	room := s.RoomShows("mary", "here it is").RoomID
	within(t, func(ctx context.Context) error {
		_, err := s.HS.WaitRequest(ctx, func(r homeserver.Request) bool { return r.Endpoint == "send" && r.RoomID == room })
		return err
	})
	s.RoomShowsTyping("mary", false)
}

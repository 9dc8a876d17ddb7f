package scenario_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// presencesOf counts the requests that set somebody's presence.
func presencesOf(s *scenario.Scenario, name string) int {
	ghost := s.Ghost(name)
	return len(s.HS.Requests(func(r homeserver.Request) bool { return r.Endpoint == "presence" && r.UserID == ghost }))
}

func TestAnUnchangedPresenceCausesNoRequest(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactGoes("mary", "away", "at lunch")
	s.ContactIsShown("mary", event.PresenceUnavailable, "at lunch")
	before := s.HS.Count("presence")
	stanza := fmt.Sprintf(`<presence from="%s"><show>away</show><status>at lunch</status></presence>`, s.Contact("mary").ProgramJID())
	for range 2000 {
		s.Service.SendRaw("alice@contoso.example", stanza)
	}
	everythingSoFarIsHandled(s)
	s.ContactGoes("mary", "available", "back")
	s.ContactIsShown("mary", event.PresenceOnline, "back")
	if after := s.HS.Count("presence"); after != before+1 {
		t.Errorf("%d requests instead of the one for the change", after-before)
	}
}

func TestPresenceOutlivesARestartAndIsNotSentAgain(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactGoes("mary", "busy", "working")
	s.ContactIsShown("mary", event.PresenceUnavailable, "Busy: working")
	before := presencesOf(s, "mary")
	s.RestartBridge()
	s.SessionIsUp()
	everythingSoFarIsHandled(s)
	s.ServiceSends("john", "hello")
	s.RoomShows("john", "hello")
	s.ContactIsShown("john", event.PresenceOnline, "")
	if after := presencesOf(s, "mary"); after != before {
		t.Errorf("the presence was sent %d times more", after-before)
	}
}

func TestContactsFadeAfterTheGraceTimeWhenTheSessionIsDown(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"presence": map[string]any{"grace": "1s"}}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactIsShown("mary", event.PresenceOnline, "")
	s.ServiceGoesDown()
	s.ContactIsShown("mary", event.PresenceOffline, "")
	s.ServiceComesBack()
	s.ContactIsShown("mary", event.PresenceOnline, "")
}

func TestContactsKeepTheirPresenceOverAShortBreak(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactGoes("mary", "away", "soon back")
	s.ContactIsShown("mary", event.PresenceUnavailable, "soon back")
	before := presencesOf(s, "mary")
	s.ConnectionBreaks()
	everythingSoFarIsHandled(s)
	s.SessionIsUp()
	everythingSoFarIsHandled(s)
	if after := presencesOf(s, "mary"); after != before {
		t.Errorf("a break of the connection caused %d requests", after-before)
	}
}

func TestPresenceIsNotShownInMatrixWhenSwitchedOff(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"presence": map[string]any{"to_matrix": false}}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactGoes("mary", "busy", "")
	everythingSoFarIsHandled(s)
	s.UserTellsBot("contacts")
	s.BotSays("Mary — 2000@messenger.example — busy")
	if count := s.HS.Count("presence"); count != 0 {
		t.Errorf("%d requests", count)
	}
}

func TestTheUsersMatrixPresenceIsShownToContacts(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserIsShown("", "")
	s.Alice.SetPresence(event.PresenceUnavailable, "")
	s.UserIsShown("away", "")
	s.Alice.SetPresence(event.PresenceOnline, "hacking")
	s.UserIsShown("", "hacking")
	s.Alice.SetPresence(event.PresenceOffline, "")
	s.UserIsShown("away", "")
}

func TestAChosenPresenceStaysUntilAutoAndOverRestarts(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("presence busy Do not  disturb")
	s.BotSays("Your Messenger contacts see you as busy, with the message “Do not disturb”")
	s.UserIsShown("dnd", "Do not disturb")
	s.Alice.SetPresence(event.PresenceUnavailable, "")
	s.UserTellsBot("presence sideways")
	s.BotSays("is not a presence") // and so the bridge has what was sent before
	s.RestartBridge()
	s.UserIsShown("dnd", "Do not disturb")
	s.UserTellsBot("presence auto")
	s.BotSays("This follows your Matrix presence.")
	s.UserIsShown("away", "")
}

func TestSomebodyInvisibleStillReceivesMessages(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.UserTellsBot("presence invisible")
	s.BotSays("see you as offline")
	s.ServiceSends("mary", "are you there?")
	s.RoomShows("mary", "are you there?")
	s.RestartBridge()
	within(t, func(ctx context.Context) error {
		for {
			sessions := s.User().Sessions()
			if slices.ContainsFunc(sessions, func(info messengerd.SessionInfo) bool { return info.Presence && !info.Online }) {
				return nil
			}
			if slices.ContainsFunc(sessions, func(info messengerd.SessionInfo) bool { return info.Online }) {
				return fmt.Errorf("the user was seen: %+v", sessions)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	})
	s.ServiceSends("mary", "hello?")
	s.RoomShows("mary", "hello?")
}

func TestWhenOfflineRulesWhatContactsSee(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"presence": map[string]any{"when_offline": "available"}}})
	s.LoginWithToken()
	s.Alice.SetPresence(event.PresenceUnavailable, "")
	s.UserIsShown("away", "")
	s.Alice.SetPresence(event.PresenceOffline, "")
	s.UserIsShown("", "")
}

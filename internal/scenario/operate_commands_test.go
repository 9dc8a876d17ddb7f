package scenario_test

import (
	"strings"
	"testing"

	"matrix-messenger/internal/scenario"
)

func TestTheAdminSeesAllSessionsAndReconnectBeginsANewOne(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("status all")
	if all := s.BotSays("There are 1 sessions."); !strings.Contains(all, "CONNECTED: 1") || strings.Contains(all, "Not connected") {
		t.Errorf("of a session that is well it says\n%s", all)
	}
	session := s.NewerSession(0)
	s.UserTellsBot("reconnect")
	s.BotSays("Connecting again")
	s.NewerSession(session)
	s.SessionIsUp()
	s.ServiceSends("mary", "still there?")
	s.RoomShows("mary", "still there?")
	s.UserSends("mary", "yes")
	s.ContactReceives("mary", "yes")
	s.ServiceGoesDown()
	s.UserTellsBot("status all")
	if all := s.BotSays("There are 1 sessions."); !strings.Contains(all, "Not connected") || !strings.Contains(all, "1000@messenger.example") {
		t.Errorf("of a session that is down it says\n%s", all)
	}
	s.ServiceComesBack()
	s.UserTellsBot("reconnect")
	s.BotSays("Connecting again")
	s.SessionIsUp()
	s.NothingElseWasSaid()
}

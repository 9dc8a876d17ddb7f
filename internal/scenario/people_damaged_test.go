package scenario_test

import (
	"testing"

	"matrix-messenger/internal/scenario"
)

func TestAContactWhoseRowIsDamagedHoldsUpNobody(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	for _, name := range []string{"mary", "john"} {
		s.ServiceSends(name, "hello")
		s.RoomShows(name, "hello")
	}
	s.Execute(`UPDATE messenger_contact SET roster_groups='[damaged' WHERE jid=?`, s.Contact("john").JID())
	s.UserSends("john", "do you have a minute?")
	s.UserSends("mary", "do you?")
	s.ContactReceives("mary", "do you?")
	s.ContactReceives("john", "do you have a minute?")
	s.Execute(`UPDATE messenger_contact SET roster_groups='[damaged' WHERE jid=?`, s.Contact("john").JID())
	s.RestartBridge()
	s.SessionIsUp()
	s.ServiceSends("john", "now I do")
	s.RoomShows("john", "now I do")
	s.UserTellsBot("contacts")
	s.BotSays("John Doe")
	s.NothingElseWasSaid()
}

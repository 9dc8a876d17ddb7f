package scenario_test

import (
	"fmt"
	"testing"

	"matrix-messenger/internal/scenario"
)

func TestAConversationBothWaysSurvivesRestarts(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello Alice")
	s.RoomShows("mary", "hello Alice")
	s.UserSends("mary", "hello Mary")
	s.ContactReceives("mary", "hello Mary")
	s.RestartBridge()
	s.SessionIsUp()
	s.UserSends("mary", "I am back")
	s.ContactReceives("mary", "I am back")
	s.ServiceSends("mary", "welcome back")
	s.RoomShows("mary", "welcome back")
	s.NothingElseWasSaid()
}

func TestMessagesOfBothSidesArriveOnceAndInOrderHoweverOftenTheBridgeIsKilled(t *testing.T) {
	scenario.Play(
		t, scenario.Options{},
		scenario.Step{Name: "the user signs in", Do: func(s *scenario.Scenario) { s.LoginWithToken() }},
		scenario.Step{Name: "Mary writes", Do: func(s *scenario.Scenario) { s.ServiceSends("mary", "one", "two", "three") }},
		scenario.Step{Name: "the room shows it", Do: func(s *scenario.Scenario) { s.RoomShows("mary", "one", "two", "three") }},
		scenario.Step{Name: "the user answers", Do: func(s *scenario.Scenario) { s.UserSends("mary", numbered("answer", 5)...) }},
		scenario.Step{Name: "Mary reads it", Do: func(s *scenario.Scenario) { s.ContactReceives("mary", numbered("answer", 5)...) }},
		scenario.Step{Name: "both write at once", Do: func(s *scenario.Scenario) {
			s.ServiceSends("mary", "crossing")
			s.UserSends("mary", "at the same time")
		}},
		scenario.Step{Name: "both read", Do: func(s *scenario.Scenario) {
			s.RoomShows("mary", "crossing")
			s.ContactReceives("mary", "at the same time")
		}},
	)
}

func TestWhatIsWrittenWhileTheBridgeIsDownArrivesAfterwards(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "before")
	s.RoomShows("mary", "before")
	s.StopBridge()
	s.UserSends("mary", numbered("from Matrix", 8)...)
	s.ServiceSends("mary", numbered("from Messenger", 8)...)
	s.StartBridge()
	s.ContactReceives("mary", numbered("from Matrix", 8)...)
	s.RoomShows("mary", numbered("from Messenger", 8)...)
	s.NothingElseWasSaid()
}

func TestABrokenConnectionIsMendedWithoutLosingMessages(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "before")
	s.RoomShows("mary", "before")
	s.ConnectionBreaks()
	s.UserSends("mary", numbered("during", 3)...)
	s.ServiceSends("mary", numbered("meanwhile", 3)...)
	s.ContactReceives("mary", numbered("during", 3)...)
	s.RoomShows("mary", numbered("meanwhile", 3)...)
	s.NothingElseWasSaid()
}

func TestAnOutageOfTheServiceIsSatOut(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("john", "before")
	s.RoomShows("john", "before")
	s.ServiceGoesDown()
	s.UserSends("john", numbered("during", 3)...)
	s.ServiceComesBack()
	s.ContactReceives("john", numbered("during", 3)...)
	s.NothingElseWasSaid()
}

func TestAnOutageOfTheHomeserverIsSatOut(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "before")
	s.RoomShows("mary", "before")
	s.HomeserverGoesDown()
	s.ServiceSends("mary", numbered("during", 3)...)
	s.HomeserverComesBack()
	s.RoomShows("mary", numbered("during", 3)...)
	s.NothingElseWasSaid()
}

func numbered(text string, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("%s %d", text, i+1)
	}
	return texts
}

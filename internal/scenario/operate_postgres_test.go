package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"matrix-messenger/internal/postgres"
	"matrix-messenger/internal/scenario"
)

// TestTheMainScenariosOnPostgreSQL plays what the promise is about once more, on the second engine.
func TestTheMainScenariosOnPostgreSQL(t *testing.T) {
	scenario.OnPostgreSQL(t)
	for _, main := range []struct {
		name string
		test func(*testing.T)
	}{
		{"a conversation with restarts", TestAConversationBothWaysSurvivesRestarts},
		{"a conversation with kills", TestMessagesOfBothSidesArriveOnceAndInOrderHoweverOftenTheBridgeIsKilled},
		{"the bridge is down", TestWhatIsWrittenWhileTheBridgeIsDownArrivesAfterwards},
		{"the connection breaks", TestABrokenConnectionIsMendedWithoutLosingMessages},
		{"the homeserver is down", TestAnOutageOfTheHomeserverIsSatOut},
		{"history while the bridge is down", TestWhatWasSaidElsewhereWhileTheBridgeWasDownIsFilledIn},
		{"history with kills", TestNothingIsLostOrRepeatedWhoeverIsDownWhileBothSidesTalk},
		{"unconfirmed messages with kills", TestAMessageWithoutConfirmationArrivesOnceHoweverTheBridgeIsKilled},
		{"history of a new room", TestANewRoomShowsTheLastTenMessagesWithTheirTimesAndAsRead},
		{"requests with kills", TestARequestMakesOneRoomHoweverOftenBothSidesAreRestarted},
		{"held messages", TestMessagesOfSomebodyNotYetAcceptedWaitAndAreShownInOrder},
		{"starting a chat", TestStartChatLooksUpTheAddressAsksAndTellsTheAnswer},
		{"signing in again", TestSigningInAgainRenewsTheLoginAndKeepsItsRooms},
		{"a lost sign-in", TestALostSignInIsToldAndOneCommandBringsItBack},
		{"logging out", TestLoggingOutReportsWhatIsQueuedAndWipesTheAccount},
		{"presence over restarts", TestPresenceOutlivesARestartAndIsNotSentAgain},
		{"long messages", TestALongMessageIsSeveralStanzasButOneMessage},
	} {
		t.Run(main.name, main.test)
	}
}

func TestTwoBridgesOfOneHomeserverShareAPostgreSQLServer(t *testing.T) {
	for name, uris := range map[string]func(t *testing.T) (first, second string){
		"a database each": func(t *testing.T) (string, string) { return postgres.Database(t), postgres.Database(t) },
		"a schema each": func(t *testing.T) (string, string) {
			shared := postgres.Database(t)
			return postgres.Schema(t, shared), postgres.Schema(t, shared)
		},
	} {
		t.Run(name, func(t *testing.T) {
			firstURI, secondURI := uris(t)
			first := scenario.Start(t, scenario.Options{Database: firstURI})
			second := scenario.Start(t, scenario.Options{Database: secondURI, Beside: first, Name: "second"})
			both := []*scenario.Scenario{first, second}
			for i, s := range both {
				s.LoginWithToken()
				s.ServiceSends("mary", fmt.Sprintf("hello user %d", i))
				s.RoomShows("mary", fmt.Sprintf("hello user %d", i))
				s.UserSends("mary", fmt.Sprintf("I am user %d", i))
				s.ContactReceives("mary", fmt.Sprintf("I am user %d", i))
			}
			if first.Ghost("mary") == second.Ghost("mary") || first.Room("mary") == second.Room("mary") {
				t.Error("the two bridges share ghosts or rooms")
			}
			first.KillBridge()
			second.ServiceSends("mary", "does that disturb?")
			second.RoomShows("mary", "does that disturb?")
			first.ServiceSends("mary", "in the meantime")
			first.StartBridge()
			first.RoomShows("mary", "in the meantime")
			second.RestartBridge()
			second.SessionIsUp()
			for _, s := range both {
				s.NothingElseWasSaid()
			}
			// Mixed up: the database of the one with the configuration of the other, and twice the same bot in the same database.
			first.StopBridge()
			if output := first.BridgeRefuses(first.ConfigWith("mixed.yaml", map[string]any{"database.uri": secondURI})); !strings.Contains(output, "another process uses this database") {
				t.Errorf("while the other one runs:\n%s", output)
			}
			second.StopBridge()
			if output := first.BridgeRefuses(first.ConfigWith("mixed.yaml", map[string]any{"database.uri": secondURI})); !strings.Contains(output, "appservice.id") {
				t.Errorf("while nobody runs:\n%s", output)
			}
			first.StartBridge()
			first.SessionIsUp()
			first.ServiceSends("mary", "still the right one")
			first.RoomShows("mary", "still the right one")
		})
	}
}

func TestARoleThatSeesTwoBridgesIsRefused(t *testing.T) {
	shared := postgres.Database(t)
	s := scenario.Start(t, scenario.Options{Database: postgres.Schema(t, shared)})
	postgres.Exec(t, shared, "CREATE SCHEMA of_the_administrator")
	other := s.ConfigWith("other.yaml", map[string]any{
		"database.uri":  strings.Replace(shared, "?", "?search_path=of_the_administrator&", 1),
		"appservice.id": "other", "appservice.bot.username": "otherbot", "appservice.username_template": "other_{{.}}",
	})
	if output := s.BridgeRefuses(other); !strings.Contains(output, "also sees the tables of another bridge") {
		t.Errorf("it says:\n%s", output)
	}
}

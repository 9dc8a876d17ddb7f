package scenario_test

import (
	"testing"

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

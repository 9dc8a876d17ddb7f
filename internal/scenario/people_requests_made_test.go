package scenario_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// Decisions about a request while its room is being made: the room exists, and the user sees the invite, before the bridge has done
// everything about it.

// eventsAreHandled waits until nothing that the homeserver sent waits to be worked on.
func eventsAreHandled(t *testing.T, s *scenario.Scenario) {
	t.Helper()
	within(t, s.Appservice.WaitIdle)
	s.TableHas("messenger_matrix_inbox", func(rows []string) bool {
		return !slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, " | pending | ") })
	})
}

// botCannotJoin refuses the bot every room but the one for talking to it, for a passing reason.
func botCannotJoin(s *scenario.Scenario) *homeserver.Fault {
	s.UserTellsBot("requests")
	s.BotSays("No contact request waits for an answer.")
	return s.HS.Fail(func(r homeserver.Request) bool {
		return r.UserID == s.Bot() && r.Endpoint == "join"
	}, http.StatusInternalServerError, `{"errcode":"M_UNKNOWN","error":"away"}`, 0)
}

// nobodyIsIn waits until neither the bot nor somebody's ghost is in the room.
func nobodyIsIn(t *testing.T, s *scenario.Scenario, room id.RoomID, name string) {
	t.Helper()
	isOut(s, room, s.Ghost(name))
	isOut(s, room, s.Bot())
}

func TestADeclineWhileTheRoomIsBeingMadeIsCarriedOutOnce(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	making := s.HS.Block(func(r homeserver.Request) bool { return r.UserID == s.Bot() && r.EventType == "m.bridge" })
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	within(t, func(ctx context.Context) error { return making.WaitHits(ctx, 1) }) // the framework knows the room, the request does not
	s.UserLeaves(room.ID)
	eventsAreHandled(t, s)
	making.Remove()
	s.RosterOf("zoe", "none")
	nobodyIsIn(t, s, room.ID, "zoe")
	for _, r := range s.HS.Requests(func(r homeserver.Request) bool { return r.RoomID == room.ID && r.Status == http.StatusForbidden }) {
		t.Errorf("refused, because somebody was out already: %s %s", r.Method, r.Path)
	}
	s.StrangerAsks("zoe", "Zoe again", "")
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitInvite(ctx, func(v homeserver.RoomView) bool { return v.Has(s.Ghost("zoe")) && v.ID != room.ID })
		return err
	})
}

func TestADeclinedRequestTakesItsRoomAlongThoughTheRoomWasNeverFinished(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	botCannotJoin(s)
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.KillBridge()
	s.StartBridge()
	s.UserTellsBot("decline zoe")
	s.BotSays("declined the request of Zoe")
	roomIsGone(t, s, room.ID)
	s.RosterOf("zoe", "none")
	isOut(s, room.ID, s.Ghost("zoe"))
}

func TestARequestTakenBackTakesItsRoomAlongThoughTheRoomWasNeverFinished(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	botCannotJoin(s)
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.Contact("zoe").Remove("alice@contoso.example")
	roomIsGone(t, s, room.ID)
	isOut(s, room.ID, s.Ghost("zoe"))
}

func TestARequestAcceptedWhileItsRoomIsBeingMadeKeepsThatRoom(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	away := botCannotJoin(s)
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.UserTellsBot("accept zoe")
	s.BotSays("accepted the request of Zoe")
	away.Remove()
	s.RosterOf("zoe", "both")
	s.UserJoins(room.ID)
	s.ServiceSends("zoe", "thank you")
	s.RoomShows("zoe", "thank you")
	if got := oneRoomWith(t, s, "zoe").ID; got != room.ID {
		t.Errorf("the chat's room is %s instead of the request's, %s", got, room.ID)
	}
}

func TestWhoeverAcceptsSomebodyWhoHadWrittenTooMuchIsToldThatSomeIsMissing(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	texts := make([]string, 53) // three more than are kept
	for n := range texts {
		texts[n] = fmt.Sprintf("chatty %02d", n)
	}
	s.ServiceSends("zoe", texts...)
	s.TableHas("messenger_held_message", func(rows []string) bool { return len(rows) == len(texts) })
	s.UserJoins(room.ID)
	s.RosterOf("zoe", "both")
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitMessage(ctx, s.Room("zoe"), func(ev *homeserver.Event) bool { return strings.Contains(ev.Body(), "Only the first 50 messages") })
		return err
	})
	lines := s.Conversation("zoe")
	told := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "Only the first 50 messages") })
	if last := slices.Index(lines, "zoe: chatty 49"); told < 0 || last != told-1 {
		t.Errorf("the notice does not stand behind what was kept: %q", lines)
	}
}

func TestWhoHasJoinedAChatBeforeItsContactAskedHasNotAccepted(t *testing.T) {
	s := scenario.Start(t, scenario.Options{NoDoublePuppet: true})
	s.LoginWithToken()
	s.ServiceSends("zoe", "hello")
	room := s.UserIsInvited("zoe").ID
	eventsAreHandled(t, s)
	s.BridgeKnowsWhatTheRoomsHave()
	s.Appservice.Hold(true) // the bridge is told late that the user has joined
	s.UserJoins(room)
	s.StrangerAsks("zoe", "Zoe", "")
	s.TableHas("messenger_request", func(rows []string) bool { return len(rows) == 1 })
	s.Appservice.Hold(false)
	eventsAreHandled(t, s)
	s.ServiceSends("zoe", "am I your contact now?")
	s.TableHas("messenger_held_message", func(rows []string) bool { return len(rows) == 1 })
	s.UserTellsBot("accept zoe")
	s.RosterOf("zoe", "both")
	s.RoomShowsLine("zoe", "zoe: am I your contact now?")
}

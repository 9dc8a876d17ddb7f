package scenario_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// formerFriend is a bridge with a room with John, who is no contact any more, and whose room the bot cannot leave yet.
func formerFriend(t *testing.T) (s *scenario.Scenario, room id.RoomID, leaving *homeserver.Fault) {
	t.Helper()
	s = scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("john", "hello")
	s.RoomShows("john", "hello")
	room = s.Room("john")
	s.Contact("john").Remove("alice@contoso.example")
	s.RoomTells("john", "is no longer one of your Messenger contacts")
	leaving = s.HS.Block(func(r homeserver.Request) bool {
		return r.Endpoint == "leave" && r.UserID == s.Bot() && r.RoomID == room
	})
	s.UserLeaves(room)
	within(t, func(ctx context.Context) error { return leaving.WaitHits(ctx, 1) })
	return s, room, leaving
}

// asksAnew waits for the invite of a request, to another room than the old one, and accepts it.
func asksAnew(s *scenario.Scenario, old id.RoomID) {
	s.T().Helper()
	invite := s.UserIsInvited("john")
	if invite.ID == old {
		s.T().Fatal("the user is called back into the room that they left")
	}
	s.UserJoins(invite.ID)
	s.RosterOf("john", "both")
}

func TestARequestThatIsShownInARoomBeingLetGoIsShownInANewOne(t *testing.T) {
	s, room, leaving := formerFriend(t)
	s.StrangerAsks("john", "John", "sorry")
	s.TableHas("messenger_request", func(rows []string) bool {
		return slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, room.String()) })
	})
	leaving.Remove()
	asksAnew(s, room)
}

func TestARequestWhoseRoomIsLetGoBeforeItIsStoredIsShownInANewOne(t *testing.T) {
	s, room, leaving := formerFriend(t)
	said := s.HS.Block(func(r homeserver.Request) bool {
		return homeserver.Sends(event.EventMessage.Type)(r) && r.UserID == s.Bot() && r.RoomID == room
	})
	s.StrangerAsks("john", "John", "sorry")
	within(t, func(ctx context.Context) error { return said.WaitHits(ctx, 1) })
	leaving.Remove()
	s.TableHas("portal", func(rows []string) bool {
		return !slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, room.String()) })
	})
	said.Remove()
	asksAnew(s, room)
}

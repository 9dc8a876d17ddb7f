package scenario_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// shut makes the homeserver refuse what a contact says.
func shut(s *scenario.Scenario, name string) *homeserver.Fault {
	ghost := s.Ghost(name)
	return s.HS.Fail(func(r homeserver.Request) bool { return r.Endpoint == "send" && r.UserID == ghost }, http.StatusForbidden,
		`{"errcode":"M_FORBIDDEN","error":"You may not speak here"}`, 0)
}

// setAside waits until so many messages in all have been set aside.
func setAside(t *testing.T, numbers string, count int) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		for !strings.Contains(metrics(t, numbers), fmt.Sprintf(`matrix_messenger_messages_total{direction="to_matrix",result="refused"} %d`+"\n", count)) {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// asideTold is what the bot has said about messages that were set aside.
func asideTold(s *scenario.Scenario) (texts []string) {
	for _, ev := range s.Alice.Messages(s.BotRoom()) {
		if ev.Sender == s.Bot() && strings.Contains(ev.Body(), "could not be shown") {
			texts = append(texts, ev.Body())
		}
	}
	return texts
}

func TestWhatTheHomeserverRefusedIsToldOnceAndCanBeTriedAgain(t *testing.T) {
	numbers := scenario.FreeAddress(t)
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"metrics": map[string]any{"listen": numbers}}})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	closed := shut(s, "mary")
	s.ServiceSends("mary", "one", "two", "three")
	s.BotSays("because the homeserver refused it (M_FORBIDDEN)")
	setAside(t, numbers, 3)
	s.UserTellsBot("retry")
	s.BotSays("3 messages are being tried again")
	s.BotSays("A message from Mary of")
	setAside(t, numbers, 6)
	if texts := asideTold(s); len(texts) != 2 {
		t.Errorf("after two tries the user was told %q", texts)
	}
	closed.Remove()
	s.UserTellsBot("retry")
	s.BotSays("3 messages are being tried again")
	s.RoomShows("mary", "one", "two", "three")
	s.UserTellsBot("retry")
	s.BotSays("No message is kept")

	closed = shut(s, "mary")
	s.ServiceSends("mary", "four")
	s.BotSays("A message from Mary of") // it is news again
	setAside(t, numbers, 7)
	closed.Remove()
	levels := map[string]any{"users": map[string]int{s.Bot().String(): 9001}, "users_default": 50}
	if _, err := s.Alice.SetState(s.Room("mary"), event.StatePowerLevels, "", levels); err != nil {
		t.Fatal(err)
	}
	s.RoomShows("mary", "four")
	s.NothingElseWasSaid()
}

func TestWhatWasSetAsideIsToldOnceAlsoAcrossRestartsAndALostNotice(t *testing.T) {
	numbers := scenario.FreeAddress(t)
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"metrics": map[string]any{"listen": numbers}}})
	s.LoginWithToken()
	s.UserTellsBot("help")
	for _, name := range []string{"mary", "john"} {
		s.ServiceSends(name, "hello")
		s.RoomShows(name, "hello")
	}
	shut(s, "mary")
	s.ServiceSends("mary", "one")
	s.BotSays("A message from Mary of")
	s.RestartBridge()
	s.ServiceSends("mary", "two")
	setAside(t, numbers, 1) // of this run

	shut(s, "john")
	room := s.BotRoom()
	lost := s.HS.Fail(func(r homeserver.Request) bool { return homeserver.Sends("m.room.message")(r) && r.RoomID == room }, http.StatusBadGateway,
		`{"errcode": "M_UNKNOWN", "error": "try again"}`, 0)
	s.ServiceSends("john", "three")
	setAside(t, numbers, 2)
	within(t, func(ctx context.Context) error { return lost.WaitHits(ctx, 1) })
	s.KillBridge()
	lost.Remove()
	s.StartBridge()
	s.BotSays("A message from John Doe of")
	s.TableHas("messenger_aside_notice", func(rows []string) bool {
		return len(rows) == 2 && !slices.ContainsFunc(rows, func(row string) bool { return strings.HasSuffix(row, " 0") })
	})
	if texts := asideTold(s); len(texts) != 2 {
		t.Errorf("the user was told %q", texts)
	}
}

func TestWhatCannotBeShownForNoReasonOfTheHomeserversHoldsUpItsChatForABoundedTime(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	// Nothing can be sent into an encrypted room by a bridge that was not set up for encryption.
	if _, err := s.Alice.SetState(s.Room("mary"), event.StateEncryption, "", map[string]string{"algorithm": "m.megolm.v1.aes-sha2"}); err != nil {
		t.Fatal(err)
	}
	s.TableHas("mx_room_state", func(rows []string) bool { return strings.Contains(strings.Join(rows, "\n"), "m.megolm") })
	s.ServiceSends("mary", "can you read this?")
	s.BotSays("something in the bridge or its database fails over it")
	s.ServiceSends("mary", "and this?")
	s.TableHas("messenger_inbox", func(rows []string) bool {
		return len(rows) == 2 && !slices.ContainsFunc(rows, func(row string) bool { return strings.HasSuffix(row, "| 0 | ") })
	})
	if texts := asideTold(s); len(texts) != 1 {
		t.Errorf("the user was told %q", texts)
	}
}

func TestAMessageThatTheDatabaseForbidsIsShownOnceAndItsChatGoesOn(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.Execute(`CREATE TRIGGER forbidden BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'this row is not allowed'); END`)
	s.ServiceSends("mary", "one", "two")
	s.RoomShows("mary", "one", "two")
	s.Execute(`DROP TRIGGER forbidden`)
	s.ServiceSends("mary", "three")
	s.RoomShows("mary", "three")
	s.NothingElseWasSaid()
}

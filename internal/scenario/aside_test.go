package scenario_test

import (
	"context"
	"fmt"
	"net/http"
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

func TestWhatTheHomeserverRefusedIsToldOnceAndCanBeTriedAgain(t *testing.T) {
	numbers := scenario.FreeAddress(t)
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"metrics": map[string]any{"listen": numbers}}})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	told := func() (texts []string) {
		for _, ev := range s.Alice.Messages(s.BotRoom()) {
			if ev.Sender == s.Bot() && strings.Contains(ev.Body(), "could not be shown") {
				texts = append(texts, ev.Body())
			}
		}
		return texts
	}
	closed := shut(s, "mary")
	s.ServiceSends("mary", "one", "two", "three")
	s.BotSays("because the homeserver refused it (M_FORBIDDEN)")
	setAside(t, numbers, 3)
	s.UserTellsBot("retry")
	s.BotSays("3 messages are being tried again")
	s.BotSays("A message from Mary of")
	setAside(t, numbers, 6)
	if texts := told(); len(texts) != 2 {
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

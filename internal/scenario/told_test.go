package scenario_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

func TestARefusalIsToldAlthoughTheHomeserverWasAwayAndTheBridgeWasKilled(t *testing.T) {
	numbers := scenario.FreeAddress(t)
	refusing := false
	s := scenario.Start(t, scenario.Options{
		Network: map[string]any{"metrics": map[string]any{"listen": numbers}},
		Service: func(cfg *messengerd.Config) {
			if refusing {
				cfg.Switches.Faults.MessageError = "forbidden"
			}
		},
	})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ServiceGoesDown()
	first, err := s.Alice.SendText(s.Room("mary"), "are we friends?")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Alice.SendText(s.Room("mary"), "say something"); err != nil {
		t.Fatal(err)
	}
	s.BridgeHasHandledWhatIsIn("mary")
	s.HomeserverGoesDown()
	refusing = true
	s.ServiceComesBack()
	// The two that the service refuses, and the one by which it was seen that the bridge has handled them, refused by the bridge.
	within(t, func(ctx context.Context) error {
		for !strings.Contains(metrics(t, numbers), `matrix_messenger_messages_total{direction="to_messenger",result="refused"} 3`) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
			}
		}
		return nil
	})
	s.KillBridge()
	s.HomeserverComesBack()
	s.StartBridge()
	s.RoomTells("mary", "this person is not among your Messenger contacts")
	if notices := s.NoticesOn("mary", first); len(notices) != 1 {
		t.Errorf("the first message has the notices %q", notices)
	}
}

func metrics(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

func TestARoomThatCannotBeToldHoldsUpNoOther(t *testing.T) {
	opts, _ := reporting(t)
	s := scenario.Start(t, opts)
	s.LoginWithToken()
	for _, name := range []string{"mary", "john"} {
		s.ServiceSends(name, "hello")
		s.RoomShows(name, "hello")
	}
	broken := s.Room("mary")
	fault := s.HS.Fail(func(r homeserver.Request) bool {
		return r.RoomID == broken && r.EventType == event.BeeperMessageStatus.Type
	},
		http.StatusInternalServerError, `{"errcode": "M_UNKNOWN", "error": "this room is broken"}`, 0)
	delivered := s.UserSends("mary", "this one arrives")
	s.ContactReceives("mary", "this one arrives")

	if err := s.Service.SetSwitches(failMessages("not-acceptable")); err != nil {
		t.Fatal(err)
	}
	refused := s.UserSends("john", "this one does not")
	s.NoticeOn("john", refused, "Messenger does not accept this message")

	fault.Remove()
	s.StatusIs("mary", delivered, event.MessageStatusSuccess)
}

func TestARefusalOfWhatNeverWaitedIsToldAfterTheBridgeWasKilled(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "show me")
	s.RoomShows("mary", "show me")
	bot := s.Bot()
	// The notice is on its way, but it never gets there before the kill.
	held := s.HS.Block(func(req homeserver.Request) bool {
		return req.Endpoint == "send" && req.UserID == bot && req.EventType == event.EventMessage.Type
	})
	first := s.UserSendsEvent("mary", event.EventSticker, file(s, "", "Cat", "image/png", "", []byte("PNG")))
	second := s.UserSendsEvent("mary", event.EventSticker, file(s, "", "Dog", "image/png", "", []byte("PNG")))
	within(t, func(ctx context.Context) error { return held.WaitHits(ctx, 1) })
	// What stands behind the stickers in the room has gone out: both are handled.
	s.UserSends("mary", "that was the cat")
	s.ContactReceives("mary", "that was the cat")
	s.KillBridge()
	held.Remove()
	s.StartBridge()
	for _, sticker := range []id.EventID{first, second} {
		s.NoticeOn("mary", sticker, "Your message was not bridged: Messenger takes text only")
	}
	third := s.UserSendsEvent("mary", event.EventSticker, file(s, "", "Cow", "image/png", "", []byte("PNG")))
	s.NoticeOn("mary", third, "public_media")
	for _, sticker := range []id.EventID{first, second, third} {
		if notices := s.NoticesOn("mary", sticker); len(notices) != 1 {
			t.Errorf("%s has the notices %q", sticker, notices)
		}
	}
}

func TestARoomThatIsSlowToBeToldHoldsUpNoOther(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	for _, name := range []string{"mary", "john"} {
		s.ServiceSends(name, "hello")
		s.RoomShows(name, "hello")
	}
	if err := s.Service.SetSwitches(failMessages("not-acceptable")); err != nil {
		t.Fatal(err)
	}
	room := s.Room("mary")
	slow := s.HS.Block(func(r homeserver.Request) bool {
		return homeserver.Sends("m.room.message")(r) && r.RoomID == room && r.UserID == s.Bot()
	})
	toMary := s.UserSends("mary", "can you read this?")
	within(t, func(ctx context.Context) error { return slow.WaitHits(ctx, 1) })
	toJohn := s.UserSends("john", "can you?")
	s.NoticeOn("john", toJohn, "Messenger does not accept this message")
	slow.Remove()
	s.NoticeOn("mary", toMary, "Messenger does not accept this message")
}

func TestARoomThatTheHomeserverDoesNotShowHoldsUpNothingForEver(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	room := s.Room("mary")
	shut := s.HS.Fail(func(r homeserver.Request) bool { return r.RoomID == room && r.Endpoint != "joined_members" }, http.StatusForbidden,
		`{"errcode":"M_FORBIDDEN","error":"Nobody of yours is in this room"}`, 0)
	s.ServiceSends("mary", "is anybody there?")
	s.BotSays("could not be shown")
	shut.Remove()
	s.ServiceSends("mary", "and now?")
	s.RoomShows("mary", "and now?")
}

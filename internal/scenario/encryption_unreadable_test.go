package scenario_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// encryptedReporting is pushed, with the states of messages told as statuses too.
func encryptedReporting() scenario.Options {
	return scenario.Options{Sections: map[string]map[string]any{
		"encryption": pushed["encryption"], "matrix": {"message_status_events": true},
	}}
}

// keysAsked lets it be waited for that the bridge asks somebody for keys.
func keysAsked(s *scenario.Scenario) *homeserver.Fault {
	return s.HS.Inject(&homeserver.Fault{Match: func(r homeserver.Request) bool {
		return r.Endpoint == "sendToDevice" && strings.Contains(r.Path, event.ToDeviceRoomKeyRequest.Type)
	}})
}

func TestAMessageWhoseKeysComeLateIsSentInItsOrderAndHoldsUpNoOtherChat(t *testing.T) {
	s := scenario.Start(t, encryptedReporting())
	phone := s.UserHasPhone()
	s.LoginWithToken()
	for _, name := range []string{"mary", "john"} {
		s.ServiceSends(name, "hello")
		phone.Reads(s.Room(name), s.Ghost(name), "hello")
	}
	room := s.Room("mary")
	give := phone.KeepsKeys(room)
	asked := keysAsked(s)
	late := phone.Says(room, "where are my keys?")
	behind := s.UserSends("mary", "behind it")
	within(t, func(ctx context.Context) error { return asked.WaitHits(ctx, 1) })
	phone.Says(s.Room("john"), "here they are")
	s.ContactReceives("john", "here they are")
	if texts := s.Contact("mary").Received(); len(texts) > 0 {
		t.Errorf("%d messages have overtaken the one that waits for its keys", len(texts))
	}
	give()
	s.ContactReceives("mary", "where are my keys?", "behind it")
	s.StatusIs("mary", late, event.MessageStatusSuccess)
	s.StatusIs("mary", behind, event.MessageStatusSuccess)
	if statuses := s.Statuses("mary", late); slices.Contains(statuses, event.MessageStatusRetriable) || slices.Contains(statuses, event.MessageStatusFail) {
		t.Errorf("its statuses were %v", statuses)
	}
	if n := phone.RepliesTo(room, late); n > 0 {
		t.Errorf("%d notices are on it", n)
	}
	phone.Says(room, "and thanks")
	s.ContactReceives("mary", "and thanks")
}

func TestAMessageWhoseKeysNeverComeIsToldOnceAlsoAcrossKillsAndNotSentLater(t *testing.T) {
	s := scenario.Start(t, encryptedReporting())
	phone := s.UserHasPhone()
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	room := s.Room("mary")
	phone.Reads(room, s.Ghost("mary"), "hello")
	give := phone.KeepsKeys(room)
	asked := keysAsked(s)
	lost := phone.Says(room, "nobody can read this")
	reaction := phone.Reacts(room, lost, "👍")
	within(t, func(ctx context.Context) error { return asked.WaitHits(ctx, 1) })
	s.KillBridge() // while it waits

	away := s.HS.Fail(func(r homeserver.Request) bool {
		return r.Endpoint == "send" && r.RoomID == room && r.UserID == s.Bot()
	}, http.StatusBadGateway,
		`{"errcode": "M_UNKNOWN", "error": "try again"}`, 0)
	s.StartBridge()
	within(t, func(ctx context.Context) error { return away.WaitHits(ctx, 1) })
	s.KillBridge() // while it tells
	away.Remove()
	s.StartBridge()
	phone.ReadsNotice(room, lost, "its keys have not arrived")
	s.StatusIs("mary", lost, event.MessageStatusRetriable)
	s.StatusIs("mary", reaction, event.MessageStatusRetriable)

	give()
	phone.Says(room, "this one can be read")
	s.ContactReceives("mary", "this one can be read")
	s.RestartBridge()
	phone.Says(room, "and this one")
	s.ContactReceives("mary", "and this one")
	for target, want := range map[id.EventID]int{lost: 1, reaction: 0} {
		if n := phone.RepliesTo(room, target); n != want {
			t.Errorf("%d notices instead of %d", n, want)
		}
		statusesAre(s, target, event.MessageStatusRetriable)
	}
}

func TestAnEncryptedMessageToABridgeWithoutEncryptionIsToldOnceInAChatAndInTheBotsRoom(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{"matrix": {"message_status_events": true}}})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	sealed := map[string]any{"algorithm": id.AlgorithmMegolmV1, "session_id": "session", "sender_key": "key", "ciphertext": "sealed"}
	refused := s.UserSendsEvent("mary", event.EventEncrypted, sealed)
	s.NoticeOn("mary", refused, "this bridge does not read encrypted messages")
	s.StatusIs("mary", refused, event.MessageStatusFail)
	command, err := s.Alice.SendEvent(s.BotRoom(), event.EventEncrypted, sealed)
	if err != nil {
		t.Fatal(err)
	}
	s.BotSays("this bridge does not read encrypted messages")
	s.RestartBridge()
	s.UserTellsBot("help")
	s.NothingElseWasSaid()
	if notices := s.NoticesOn("mary", refused); len(notices) != 1 {
		t.Errorf("the message has the notices %q", notices)
	}
	statusesAre(s, refused, event.MessageStatusFail)
	told := 0
	for _, ev := range s.Alice.Messages(s.BotRoom()) {
		if ev.Sender == s.Bot() && ev.Message().RelatesTo.GetReplyTo() == command {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the command has %d notices", told)
	}
}

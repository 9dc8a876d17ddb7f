package scenario_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// tellingSoon tells soon that messages wait.
func tellingSoon() scenario.Options {
	return scenario.Options{Network: map[string]any{"limits": map[string]any{"tell_waiting": "1s"}}}
}

// toldIn are the notices of the bot in the room with a contact.
func toldIn(s *scenario.Scenario, name string) (texts []string) {
	for _, ev := range s.Alice.Messages(s.Room(name)) {
		if ev.Sender == s.Bot() && ev.MsgType() == event.MsgNotice {
			texts = append(texts, ev.Body())
		}
	}
	return texts
}

func TestWhoHasToSignInAgainIsToldSoInTheChatAndOnce(t *testing.T) {
	s := scenario.Start(t, tellingSoon())
	s.LoginWithToken()
	s.UserTellsBot("help")
	for _, name := range []string{"mary", "john"} {
		s.ServiceSends(name, "hello")
		s.RoomShows(name, "hello")
	}
	s.Service.RevokeTokens("alice@contoso.example")
	s.ConnectionBreaks()
	s.BotSays("sign in again with the `login` command")
	first := s.UserSends("mary", "one")
	if text := s.NoticeOn("mary", first, "Please sign in again with the `!messenger login` command"); strings.Contains(text, "need not") {
		t.Errorf("somebody who has to act is told %q", text)
	}
	s.UserSends("mary", "two")
	later := s.UserSends("john", "three") // is told in a round of its own, in which the second one is looked at as well
	s.NoticeOn("john", later, "Please sign in again")
	token := s.Service.IssueToken("alice@contoso.example")
	s.UserTellsBot("login token")
	s.BotSays("Please enter your Access token")
	s.UserAnswersBot(token)
	s.ContactReceives("mary", "one", "two")
	s.ContactReceives("john", "three")
	s.NothingElseWasSaid()
	if texts := toldIn(s, "mary"); len(texts) != 1 {
		t.Errorf("the room was told %q", texts)
	}
}

func TestThatMessagesWaitIsToldAlthoughTheHomeserverTookTheFirstNoticeNot(t *testing.T) {
	s := scenario.Start(t, tellingSoon())
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ServiceGoesDown()
	lost := s.HS.Fail(func(r homeserver.Request) bool {
		return r.Endpoint == "send" && r.UserID == s.Bot() && r.EventType == event.EventMessage.Type
	}, http.StatusBadGateway, `{"errcode": "M_UNKNOWN", "error": "try again"}`, 1)
	first := s.UserSends("mary", "one")
	s.NoticeOn("mary", first, "It will be sent by itself as soon as there is one. Use the command `!messenger status`")
	if lost.Hits() != 1 {
		t.Error("the first notice was not lost")
	}
	s.ServiceComesBack()
	s.ContactReceives("mary", "one")
	s.NothingElseWasSaid()
	if texts := toldIn(s, "mary"); len(texts) != 1 {
		t.Errorf("the room was told %q", texts)
	}
}

func TestChatsThatCannotBeToldKeepNoOtherFromBeingToldThatMessagesWait(t *testing.T) {
	s := scenario.Start(t, tellingSoon())
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ServiceGoesDown()
	s.HS.Fail(func(r homeserver.Request) bool { return strings.HasPrefix(r.RoomID.String(), "!deaf") }, http.StatusBadGateway,
		`{"errcode": "M_UNKNOWN", "error": "try again"}`, 0)
	// More than are looked at at a time.
	s.Execute(`
		WITH RECURSIVE chat(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM chat WHERE n<600)
		INSERT INTO messenger_outbox (
			login_id, chat_id, event_id, part, parts, stanza_id, room_id, event_type, sender_mxid, msg_type, kind, body, queued_at
		) SELECT '1000@messenger.example', 'c'||n||'@messenger.example', '$deaf'||n, 0, 1, 'deaf'||n, '!deaf'||n||':example.org',
			'm.room.message', $1, 'm.text', 'text', 'hello', $2 FROM chat
	`, s.Alice.ID.String(), time.Now().Add(-time.Hour).UnixMilli())
	waits := s.UserSends("mary", "one")
	s.NoticeOn("mary", waits, "It will be sent by itself as soon as there is one")
}

func TestTheLastProblemIsShownAfterTheConnectionIsBack(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("status")
	if text := s.BotSays("1000@messenger.example"); strings.Contains(text, "problem") {
		t.Errorf("before any problem: %s", text)
	}
	before := s.NewerSession(0)
	s.ConnectionBreaks()
	s.NewerSession(before)
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello") // what came on the new session comes after the bridge has noted that it is connected
	s.UserTellsBot("status")
	text := s.BotSays("1000@messenger.example")
	if !strings.Contains(text, "— connected since") || !strings.Contains(text, "The last problem was at") || !strings.Contains(text, "(messenger-connection-lost)") {
		t.Errorf("after a cut: %s", text)
	}
}

func TestWhatMayHaveArrivedBeforeALogoutIsNotCalledUnsent(t *testing.T) {
	numbers := scenario.FreeAddress(t)
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"metrics": map[string]any{"listen": numbers}}})
	s.LoginWithToken()
	s.ServiceSends("mary", "before")
	s.RoomShows("mary", "before")
	s.UserTellsBot("help")
	room := s.Room("mary")
	s.Switch(func(sw *messengerd.Switches) { sw.Faults.Delay = time.Minute })
	s.UserSends("mary", "did you get this?")
	outboxHas(t, s, "written")
	s.UserTellsBot("logout 1000@messenger.example")
	s.FormerRoomTells(room, "does not tell whether it arrived")
	s.BotSays("Logged out")
	if now := metrics(t, numbers); !strings.Contains(now, `matrix_messenger_uncertain_total{outcome="reported"} 1`) {
		t.Errorf("the numbers are\n%s", now)
	}
}

package stablesend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/matrixside/stablesend"
)

// world is a homeserver with an appservice whose bot and one ghost are in a room.
type world struct {
	*testing.T
	hs   *homeserver.Server
	as   *appservice.AppService
	room id.RoomID
	ann  *homeserver.User
}

func newWorld(t *testing.T) *world {
	hs := homeserver.Start(t, homeserver.Options{})
	w := &world{T: t, hs: hs, ann: hs.User("ann")}
	reg, _, err := hs.Registration("")
	w.must(err)
	w.as, err = appservice.CreateFull(appservice.CreateOpts{Registration: reg, HomeserverDomain: hs.Domain(), HomeserverURL: hs.URL()})
	w.must(err)
	stablesend.Install(w.as)
	w.room, err = w.ann.CreateRoom(homeserver.RoomOptions{})
	w.must(err)
	for _, user := range []id.UserID{w.as.BotMXID(), w.ghost()} {
		w.must(w.ann.Invite(w.room, user, false))
		w.must(w.as.Intent(user).EnsureJoined(t.Context(), w.room))
	}
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) ghost() id.UserID { return id.NewUserID("messenger_mary", w.hs.Domain()) }

func (w *world) send(ctx context.Context, user id.UserID, text string, extra ...mautrix.ReqSendEvent) id.EventID {
	w.Helper()
	resp, err := w.as.Client(user).SendMessageEvent(ctx, w.room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: text}, extra...)
	w.must(err)
	return resp.EventID
}

func (w *world) texts() (texts []string) {
	for _, evt := range w.ann.Messages(w.room) {
		var content event.MessageEventContent
		w.must(json.Unmarshal(evt.Content, &content))
		texts = append(texts, content.Body)
	}
	return texts
}

func (w *world) shows(want ...string) {
	w.Helper()
	if got := w.texts(); strings.Join(got, "|") != strings.Join(want, "|") {
		w.Errorf("the room shows %q, want %q", got, want)
	}
}

func TestAMessageSentAgainIsTheSameEvent(t *testing.T) {
	w := newWorld(t)
	ctx := func() context.Context { return stablesend.WithKey(t.Context(), "row 1") }
	first := w.send(ctx(), w.ghost(), "hello")
	if again := w.send(ctx(), w.ghost(), "hello"); again != first {
		t.Errorf("sent again: %s, at first %s", again, first)
	}
	w.shows("hello")
	w.send(stablesend.WithKey(t.Context(), "row 2"), w.ghost(), "hello")
	w.shows("hello", "hello")
	w.send(t.Context(), w.ghost(), "no key")
	w.send(t.Context(), w.ghost(), "no key")
	w.shows("hello", "hello", "no key", "no key")
}

func TestOneAttemptMaySendSeveralEvents(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		ctx := stablesend.WithKey(t.Context(), "row 1")
		w.send(ctx, w.ghost(), "one")
		w.send(ctx, w.as.BotMXID(), "of the bot") // the homeserver would take it for a repeat of the ghost's
		evt := w.send(ctx, w.ghost(), "two")
		_, err := w.as.Client(w.ghost()).RedactEvent(ctx, w.room, evt)
		w.must(err)
	}
	if got := len(w.ann.Timeline(w.room)); got == 0 {
		t.Fatal("no timeline")
	}
	redactions := w.hs.Requests(func(r homeserver.Request) bool { return strings.Contains(r.Path, "/redact/") })
	if len(redactions) != 2 || redactions[0].Path != redactions[1].Path {
		t.Errorf("redactions: %+v", redactions)
	}
	if got := w.texts(); len(got) != 3 || got[0] != "one" || got[1] != "of the bot" {
		t.Errorf("the room shows %q", got)
	}
}

func TestALostAnswerIsLeftToWhoeverCanLookForTheEvent(t *testing.T) {
	w := newWorld(t)
	isSend := func(r homeserver.Request) bool { return strings.Contains(r.Path, "/send/") }
	w.hs.FailAfter(isSend, http.StatusBadGateway, `{"errcode":"M_UNKNOWN"}`, 1)
	client := w.as.NewMautrixClient(w.ghost())
	client.DefaultHTTPRetries, client.DefaultHTTPBackoff = 2, time.Millisecond
	_, err := client.SendMessageEvent(stablesend.WithKey(t.Context(), "row 1"), w.room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: "one"})
	if err == nil {
		t.Fatal("the library tried again, of which a homeserver that has forgotten the transaction makes a second event")
	}
	if sends := w.hs.Requests(isSend); len(sends) != 1 {
		t.Errorf("sends: %+v", sends)
	}
	if _, found, err := stablesend.Find(t.Context(), w.as.BotClient(), w.room, "row 1"); err != nil || !found {
		t.Errorf("the event that took effect is found: %v, %v", found, err)
	}
	w.shows("one")
}

func TestAnEventOfADayAgoIsFoundByItsKey(t *testing.T) {
	w := newWorld(t)
	sent := w.send(stablesend.WithKey(t.Context(), "row 1"), w.ghost(), "hello")
	encrypted := stablesend.WithKey(t.Context(), "row 2")
	resp, err := w.as.Client(w.ghost()).SendMessageEvent(encrypted, w.room, event.EventEncrypted, &event.EncryptedEventContent{Algorithm: id.AlgorithmMegolmV1})
	w.must(err)
	for n := range 150 { // more than a page
		_, err := w.ann.SendText(w.room, fmt.Sprint("talk ", n))
		w.must(err)
	}
	w.hs.ForgetTransactions()
	for key, want := range map[string]id.EventID{"row 1": sent, "row 2": resp.EventID, "row 3": "", "": ""} {
		got, found, err := stablesend.Find(t.Context(), w.as.BotClient(), w.room, key)
		if err != nil || got != want || found != (want != "") {
			t.Errorf("%q: %s, %v, %v; want %s", key, got, found, err, want)
		}
	}
	if _, _, err = stablesend.Find(t.Context(), w.as.BotClient(), "!elsewhere:example.org", "row 1"); err == nil {
		t.Error("a room that cannot be read gives no error")
	}
}

func TestTheLookBackIsBounded(t *testing.T) {
	w := newWorld(t)
	w.send(stablesend.WithKey(t.Context(), "row 1"), w.ghost(), "hello")
	for n := range 310 {
		_, err := w.ann.SendText(w.room, fmt.Sprint("talk ", n))
		w.must(err)
	}
	_, found, err := stablesend.Find(t.Context(), w.as.BotClient(), w.room, "row 1")
	w.must(err)
	if found {
		t.Error("found beyond 300 events")
	}
}

func TestTimeStampsAndOtherRequestsPassUnchanged(t *testing.T) {
	w := newWorld(t)
	ctx := stablesend.WithKey(t.Context(), "row 1")
	w.hs.ResetRecord()
	w.send(ctx, w.ghost(), "long ago", mautrix.ReqSendEvent{Timestamp: 1234567890123})
	_, err := w.as.Client(w.as.BotMXID()).SendStateEvent(ctx, w.room, event.StateTopic, "", map[string]string{"topic": "x"})
	w.must(err)
	for _, r := range w.hs.Requests(func(r homeserver.Request) bool { return r.Method == http.MethodPut }) {
		isSend := strings.Contains(r.Path, "/send/")
		if strings.Contains(string(r.Body), stablesend.KeyProperty) != isSend {
			t.Errorf("%s: %s", r.Path, r.Body)
		}
	}
	if messages := w.ann.Messages(w.room); len(messages) != 1 || messages[0].Timestamp != 1234567890123 {
		t.Errorf("messages: %+v", messages)
	}
}

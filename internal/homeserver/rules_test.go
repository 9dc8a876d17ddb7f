package homeserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
)

// sink is an appservice that keeps what it is sent and answers as it is told.
type sink struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string // "txn body"
	refuse int      // answer 503 this often first
}

func newSink(t *testing.T) *sink {
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies = append(s.bodies, r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]+" "+string(body))
		if s.refuse > 0 {
			s.refuse--
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.bodies...)
}

func client(t *testing.T, hs *homeserver.Server, user id.UserID, token string, asUser bool) *mautrix.Client {
	t.Helper()
	cli, err := mautrix.NewClient(hs.URL(), user, token)
	if err != nil {
		t.Fatal(err)
	}
	cli.SetAppServiceUserID = asUser
	return cli
}

func TestMembershipDecidesWhoMayDoWhat(t *testing.T) {
	hs := homeserver.Start(t, homeserver.Options{})
	alice, bob, carol := hs.User("alice"), hs.User("bob"), hs.User("carol")
	room := must(alice.CreateRoom(homeserver.RoomOptions{}))(t)
	steps := []struct {
		name string
		do   func() error
		ok   bool
	}{
		{"a stranger cannot write", func() error { _, err := bob.SendText(room, "x"); return err }, false},
		{"a stranger cannot join", func() error { return bob.Join(room) }, false},
		{"a stranger cannot leave", func() error { return bob.Leave(room) }, false},
		{"a stranger cannot invite", func() error { return bob.Invite(room, carol.ID, false) }, false},
		{"a member invites", func() error { return alice.Invite(room, bob.ID, true) }, true},
		{"an invited person cannot write", func() error { _, err := bob.SendText(room, "x"); return err }, false},
		{"an invited person joins", func() error { return bob.Join(room) }, true},
		{"joining again is no error", func() error { return bob.Join(room) }, true},
		{"a member cannot be invited", func() error { return alice.Invite(room, bob.ID, false) }, false},
		{"a member writes", func() error { _, err := bob.SendText(room, "x"); return err }, true},
		{"a member is kicked", func() error { return alice.Kick(room, bob.ID) }, true},
		{"someone who is gone cannot be kicked", func() error { return alice.Kick(room, bob.ID) }, false},
		{"a kicked member cannot come back uninvited", func() error { return bob.Join(room) }, false},
		{"an unknown room is an error", func() error { _, err := bob.SendText("!nowhere:x", "x"); return err }, false},
	}
	for _, step := range steps {
		if err := step.do(); (err == nil) != step.ok {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	joins := 0
	for _, ev := range alice.Timeline(room) {
		if ev.Type == "m.room.member" && *ev.StateKey == bob.ID.String() && ev.Get("membership") == "join" {
			joins++
			if !strings.Contains(string(ev.Unsigned.PrevContent), `"invite"`) {
				t.Errorf("the join's prev_content is %s", ev.Unsigned.PrevContent)
			}
		}
	}
	if joins != 1 {
		t.Errorf("%d join events", joins)
	}
}

func TestARepeatedTransactionIDIsOneEventUntilItIsForgotten(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	alice := hs.User("alice")
	room := must(alice.CreateRoom(homeserver.RoomOptions{}))(t)
	cli := client(t, hs, alice.ID, alice.Token(), false)
	send := func() id.EventID {
		resp := must(cli.SendMessageEvent(ctx, room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: "once"}, mautrix.ReqSendEvent{TransactionID: "t1"}))(t)
		return resp.EventID
	}
	first := send()
	if again := send(); again != first || len(alice.Messages(room)) != 1 {
		t.Errorf("repeat gave %s after %s, %d messages", again, first, len(alice.Messages(room)))
	}
	if err := hs.Restart(); err != nil {
		t.Fatal(err)
	}
	cli.Client.CloseIdleConnections() // cut by the restart
	if again := send(); again == first || len(alice.Messages(room)) != 2 {
		t.Errorf("after a restart the repeat gave %s, %d messages", again, len(alice.Messages(room)))
	}
}

func TestAppservicesActOnlyForTheirOwnRegisteredUsers(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	reg, _, err := hs.Registration("")
	if err != nil {
		t.Fatal(err)
	}
	ghost := id.NewUserID("messenger_x", hs.Domain())
	whoami := func(user id.UserID) error {
		_, err := client(t, hs, user, reg.AppToken, true).Whoami(ctx)
		return err
	}
	if err := whoami(ghost); !errors.Is(err, mautrix.MForbidden) {
		t.Errorf("unregistered ghost: %v", err)
	}
	register := func(name string) error {
		cli := client(t, hs, ghost, reg.AppToken, true)
		_, err := cli.MakeRequest(ctx, http.MethodPost, cli.BuildClientURL("v3", "register"), &mautrix.ReqRegister[any]{Username: name, Type: mautrix.AuthTypeAppservice}, nil)
		return err
	}
	if err := register("messenger_x"); err != nil {
		t.Fatal(err)
	}
	if err := register("messenger_x"); !errors.Is(err, mautrix.MUserInUse) {
		t.Errorf("registered twice: %v", err)
	}
	if err := register("alice"); !errors.Is(err, mautrix.MExclusive) {
		t.Errorf("foreign name: %v", err)
	}
	if err := whoami(ghost); err != nil {
		t.Errorf("registered ghost: %v", err)
	}
	if err := whoami(hs.User("alice").ID); !errors.Is(err, mautrix.MForbidden) {
		t.Errorf("a person: %v", err)
	}
	if _, err := client(t, hs, ghost, "wrong", true).Whoami(ctx); !errors.Is(err, mautrix.MUnknownToken) {
		t.Errorf("wrong token: %v", err)
	}
}

func TestTransactionsAreRepeatedUnderTheSameIDUntilAccepted(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	sink := newSink(t)
	sink.refuse = 2
	reg := appservice.CreateRegistration()
	reg.ID, reg.URL, reg.SenderLocalpart, reg.EphemeralEvents = "x", sink.URL, "bot", true
	as := must(hs.Register(reg))(t)
	alice := hs.User("alice")
	room := must(alice.CreateRoom(homeserver.RoomOptions{Invite: []id.UserID{id.NewUserID("bot", hs.Domain())}}))(t)
	must(alice.SendText(room, "one"))(t)
	if err := as.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	got := sink.all()
	if len(got) < 3 || got[0] != got[1] || got[1] != got[2] || !strings.HasPrefix(got[0], "1 ") {
		t.Fatalf("pushed %q", got)
	}
	if pushed := as.Pushed(); pushed[0].Attempts != 3 {
		t.Errorf("attempts %d", pushed[0].Attempts)
	}
	if statuses := must(as.Repeat(ctx, 1))(t); len(statuses) != 1 || statuses[0] != 200 {
		t.Errorf("repeat answered %v", statuses)
	}

	if err := alice.SetTyping(room, true); err != nil {
		t.Fatal(err)
	}
	alice.SetPresence(event.PresenceUnavailable, "lunch")
	if err := as.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(sink.all(), "\n")
	for _, want := range []string{`"m.typing"`, `"m.presence"`, `"lunch"`, `"body":"one"`} {
		if !strings.Contains(all, want) {
			t.Errorf("%s was not pushed in %s", want, all)
		}
	}
}

func TestRoomsWithoutTheAppserviceAreNotPushed(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	sink := newSink(t)
	_, as, err := hs.Registration(sink.URL)
	if err != nil {
		t.Fatal(err)
	}
	alice := hs.User("alice")
	private := must(alice.CreateRoom(homeserver.RoomOptions{}))(t)
	must(alice.SendText(private, "private"))(t)
	if err := as.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	if got := sink.all(); len(got) != 0 {
		t.Errorf("pushed %q", got)
	}
}

func TestFaultsHitTheRequestsTheyNameAndNoOthers(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	alice := hs.User("alice")
	room := must(alice.CreateRoom(homeserver.RoomOptions{}))(t)
	cli := client(t, hs, alice.ID, alice.Token(), false)
	cli.DefaultHTTPRetries = 0
	send := func(ctx context.Context, text string) error {
		_, err := cli.SendMessageEvent(ctx, room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: text})
		return err
	}
	tests := []struct {
		name   string
		inject func() *homeserver.Fault
		stored bool
	}{
		{"refused", func() *homeserver.Fault {
			return hs.Fail(homeserver.Sends("m.room.message"), 500, `{"errcode":"M_UNKNOWN"}`, 1)
		}, false},
		{"answer lost", func() *homeserver.Fault { return hs.FailAfter(homeserver.To("send"), 500, "", 1) }, true},
		{"connection cut", func() *homeserver.Fault {
			return hs.Inject(&homeserver.Fault{Match: homeserver.To("send"), Cut: true, After: true, Times: 1})
		}, true},
	}
	for _, tt := range tests {
		before := len(alice.Messages(room))
		fault := tt.inject()
		if _, err := cli.Whoami(ctx); err != nil {
			t.Errorf("%s hit another request: %v", tt.name, err)
		}
		if err := send(ctx, tt.name); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
		if stored := len(alice.Messages(room)) > before; stored != tt.stored || fault.Hits() != 1 {
			t.Errorf("%s: stored %v, hits %d", tt.name, stored, fault.Hits())
		}
		if err := send(ctx, "next"); err != nil {
			t.Errorf("%s lasted: %v", tt.name, err)
		}
		fault.Remove()
	}

	block := hs.Block(homeserver.To("send"))
	sent := make(chan error, 1)
	go func() { sent <- send(ctx, "blocked") }()
	if err := block.WaitHits(ctx, 1); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-sent:
		t.Fatalf("a blocked send returned: %v", err)
	default:
	}
	block.Remove()
	block.Remove()
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestRedactionsEditsAndReactionsAreWhatAClientShows(t *testing.T) {
	hs := homeserver.Start(t, homeserver.Options{})
	alice := hs.User("alice")
	room := must(alice.CreateRoom(homeserver.RoomOptions{Name: "Room"}))(t)
	first := must(alice.SendText(room, "secret"))(t)
	must(alice.Edit(room, first, "changed"))(t)
	must(alice.React(room, first, "👍"))(t)
	must(alice.Redact(room, first))(t)
	messages := alice.Messages(room)
	if len(messages) != 2 || !messages[0].IsRedacted() || messages[0].Body() != "" {
		t.Fatalf("messages %+v", messages)
	}
	if edit := messages[1].Message(); edit.NewContent == nil || edit.NewContent.Body != "changed" || edit.RelatesTo.GetReplaceID() != first {
		t.Errorf("edit %+v", edit)
	}
	if view, ok := alice.Room(room); !ok || view.Name != "Room" {
		t.Errorf("view %+v", view)
	}
}

func TestMediaAccountDataAndHistoryComeBackAsStored(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{UploadLimit: 1000})
	alice := hs.User("alice")
	cli := client(t, hs, alice.ID, alice.Token(), false)
	cli.SpecVersions = must(cli.Versions(ctx))(t)
	upload := must(cli.UploadBytesWithName(ctx, []byte("picture"), "image/png", "p.png"))(t)
	if data := must(cli.DownloadBytes(ctx, upload.ContentURI))(t); !bytes.Equal(data, []byte("picture")) {
		t.Errorf("downloaded %q", data)
	}
	if media := hs.Media(upload.ContentURI.CUString()); media == nil || media.Name != "p.png" || media.ContentType != "image/png" {
		t.Errorf("media %+v", media)
	}
	if _, err := cli.UploadBytes(ctx, make([]byte, 1001), "x/y"); err == nil {
		t.Error("an upload above the limit was accepted")
	}
	if err := cli.SetAccountData(ctx, "m.direct", map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	if got := string(hs.AccountData(alice.ID, "", "m.direct")); got != `{"a":"b"}` {
		t.Errorf("account data %s", got)
	}

	room := must(alice.CreateRoom(homeserver.RoomOptions{}))(t)
	for _, text := range []string{"1", "2", "3"} {
		must(alice.SendText(room, text))(t)
	}
	var texts []string
	for from := ""; ; {
		page := must(cli.Messages(ctx, room, from, "", mautrix.DirectionBackward, nil, 2))(t)
		for _, ev := range page.Chunk {
			if ev.Type == event.EventMessage {
				var content event.MessageEventContent
				if err := json.Unmarshal(ev.Content.VeryRaw, &content); err != nil {
					t.Fatal(err)
				}
				texts = append(texts, content.Body)
			}
		}
		if from = page.End; from == "" {
			break
		}
	}
	if strings.Join(texts, "") != "321" {
		t.Errorf("paged %q", texts)
	}
	if _, err := cli.MakeRequest(ctx, http.MethodGet, cli.BuildClientURL("unstable", "org.example"), nil, nil); !errors.Is(err, mautrix.MUnrecognized) {
		t.Errorf("unknown extension: %v", err)
	}
}

func TestAWaitSeesWhatHappensAfterItBegan(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	alice := hs.User("alice")
	room := must(alice.CreateRoom(homeserver.RoomOptions{}))(t)
	first := must(alice.SendText(room, "first"))(t)
	waiting, found := make(chan struct{}), make(chan error, 2)
	var once sync.Once
	go func() {
		_, err := alice.WaitEvent(ctx, room, func(ev *homeserver.Event) bool {
			once.Do(func() { close(waiting) })
			return ev.ID == first && ev.IsRedacted()
		})
		found <- err
	}()
	go func() {
		_, err := alice.WaitText(ctx, room, "second")
		found <- err
	}()
	<-waiting
	must(alice.SendText(room, "second"))(t)
	must(alice.Redact(room, first))(t)
	for range 2 {
		if err := <-found; err != nil {
			t.Error(err)
		}
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := alice.WaitText(short, room, "never"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait returned %v", err)
	}
}

package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

const (
	testClient   = "000000004C06abcd"
	clientSecret = "the-applications-own-secret"
)

// oauthOptions are a bridge that signs people in at the service's own pages, and writes all it can into its log.
func oauthOptions(t *testing.T, redirect string) (options scenario.Options, pages string) {
	t.Helper()
	address := scenario.FreeAddress(t)
	pages = "http://" + address
	network := map[string]any{"oauth": map[string]any{
		"client_id": testClient, "client_secret": clientSecret, "authorize_url": pages + "/oauth20_authorize.srf", "token_url": pages + "/oauth20_token.srf",
		"redirect_url": pages + "/oauth20_desktop.srf",
	}}
	allowed := []string{}
	if redirect != "" {
		network["oauth"].(map[string]any)["redirect_url"] = "callback"
		allowed = append(allowed, redirect)
	}
	return scenario.Options{
		Network:  network,
		Sections: map[string]map[string]any{"logging": {"min_level": "trace"}},
		Service: func(cfg *messengerd.Config) {
			cfg.OAuth = messengerd.OAuthConfig{Listen: address, ClientID: testClient, ClientSecret: clientSecret, RedirectURLs: allowed}
		},
	}, pages
}

func TestSigningInByCopyingTheLastPagesAddress(t *testing.T) {
	options, _ := oauthOptions(t, "")
	s := scenario.Start(t, options)
	s.UserTellsBot("login oauth")
	last := s.UserVisits(s.AuthorizeLink(), false)
	code := query(t, last, "code")
	s.UserAnswersBot(last)
	s.BotSays("Successfully logged in as 1000@messenger.example")
	s.SessionIsUp()
	s.UserStartsChat("mary")
	s.UserSends("mary", "I came in by the page")
	s.ContactReceives("mary", "I came in by the page")
	s.AreNowhere(map[string]string{"the code": code, "the application's secret": clientSecret})
}

func TestWhatCannotBeUnderstoodMayBePastedAgain(t *testing.T) {
	options, _ := oauthOptions(t, "")
	s := scenario.Start(t, options)
	s.UserTellsBot("login oauth")
	link := s.AuthorizeLink()
	s.UserTellsBot("it does not work")
	s.BotSays("Please paste the whole address of the last page")
	s.UserAnswersBot(s.UserVisits(link, false))
	s.BotSays("Successfully logged in as")
	s.SessionIsUp()
}

func TestSayingNoOnThePageIsUnderstood(t *testing.T) {
	options, _ := oauthOptions(t, "")
	s := scenario.Start(t, options)
	s.UserTellsBot("login oauth")
	s.UserAnswersBot(s.UserVisits(s.AuthorizeLink(), true))
	s.BotSays("The access was not allowed on the sign-in page")
}

func TestTheBrowserComesBackToTheBridgeAndTheBotGoesOn(t *testing.T) {
	var bridge atomic.Pointer[url.URL]
	public := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(bridge.Load()) }})
	defer public.Close()
	options, _ := oauthOptions(t, public.URL+"/_messenger/oauth/callback")
	options.Sections["appservice"] = map[string]any{"public_address": public.URL}
	s := scenario.Start(t, options)
	address, err := url.Parse(s.BridgeURL())
	if err != nil {
		t.Fatal(err)
	}
	bridge.Store(address)

	s.UserTellsBot("login oauth")
	last := s.UserVisits(s.AuthorizeLink(), false)
	if page := open(t, last); !strings.Contains(page, "1000@messenger.example") {
		t.Errorf("the page does not say who is signed in:\n%s", page)
	}
	s.BotSays("Successfully logged in as 1000@messenger.example")
	s.SessionIsUp()
	if page := open(t, last); !strings.Contains(page, "used already") {
		t.Errorf("a second visit shows:\n%s", page)
	}
	s.AreNowhere(map[string]string{"the code": query(t, last, "code"), "the application's secret": clientSecret})
}

func TestBothFlowsWorkThroughTheProvisioningAPI(t *testing.T) {
	options, _ := oauthOptions(t, "")
	s := scenario.Start(t, options)
	s.LoginWithToken() // is the flow `token`
	var step struct {
		LoginID      string `json:"login_id"`
		StepID       string `json:"step_id"`
		Type         string `json:"type"`
		Instructions string `json:"instructions"`
		UserInput    struct {
			Fields []struct{ ID, Type string } `json:"fields"`
		} `json:"user_input"`
	}
	within(t, func(ctx context.Context) error {
		return s.Provision(ctx, http.MethodPost, "/v3/login/start/oauth", nil, &step)
	})
	if step.StepID != "messenger.oauth.paste" || len(step.UserInput.Fields) != 1 || step.UserInput.Fields[0].ID != "redirect" || step.UserInput.Fields[0].Type != "token" {
		t.Fatalf("the first step is %+v", step)
	}
	before := s.NewerSession(0)
	last := s.UserVisits(link(step.Instructions), false)
	within(t, func(ctx context.Context) error {
		return s.Provision(ctx, http.MethodPost, "/v3/login/step/"+step.LoginID+"/"+step.StepID+"/user_input", map[string]string{"redirect": last}, &step)
	})
	if step.Type != "complete" {
		t.Fatalf("the login ended with %+v", step)
	}
	s.NewerSession(before)
	s.UserStartsChat("mary")
	s.UserSends("mary", "renewed")
	s.ContactReceives("mary", "renewed")
}

func TestSigningInAgainRenewsTheLoginAndKeepsItsRooms(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "before")
	s.RoomShows("mary", "before")
	room, session := s.Room("mary"), s.NewerSession(0)
	s.LoginWithToken()
	s.NewerSession(session)
	s.ServiceSends("mary", "after")
	s.RoomShows("mary", "after")
	if again := s.Room("mary"); again != room {
		t.Errorf("there is a new room %s beside %s", again, room)
	}
	s.NothingElseWasSaid()
}

func TestOneAccountIsForOneMatrixUser(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	bob := s.HS.User("bob")
	room, err := bob.CreateRoom(homeserver.RoomOptions{Direct: true, Invite: []id.UserID{s.Bot()}})
	if err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := bob.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.ID == room && v.Joined(s.Bot()) })
		return err
	})
	if _, err = bob.SendText(room, "login token "+s.Service.IssueToken("alice@contoso.example")); err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := bob.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			return strings.Contains(ev.Body(), "already signed in to the bridge by another Matrix user")
		})
		return err
	})
	s.ServiceSends("mary", "still for Alice")
	s.RoomShows("mary", "still for Alice")
}

func TestTokensThatLiveSecondsKeepTheSessionUpOverManyExpiries(t *testing.T) {
	options, _ := oauthOptions(t, "")
	s := scenario.Start(t, options)
	s.Switch(func(w *messengerd.Switches) {
		w.TokenLife.Life = 3 * time.Second
		w.TokenLife.Stream = "cut"
	})
	s.UserTellsBot("login oauth")
	s.UserAnswersBot(s.UserVisits(s.AuthorizeLink(), false))
	s.BotSays("Successfully logged in as")
	session := s.NewerSession(0)
	s.UserStartsChat("mary")
	for n := range 6 {
		session = s.NewerSession(session) // the service has cut the stream at the end of its token
		text := fmt.Sprintf("after expiry %d", n)
		s.UserSends("mary", text)
		s.ContactReceives("mary", text)
	}
	s.NothingElseWasSaid()
	s.AreNowhere(map[string]string{"the application's secret": clientSecret})
}

func TestALostSignInIsToldAndOneCommandBringsItBack(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{"logging": {"min_level": "trace"}}})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "before")
	s.RoomShows("mary", "before")
	s.Service.RevokeTokens("alice@contoso.example")
	s.ConnectionBreaks()
	if said := s.BotSays("sign in again with the `login` command"); !strings.HasPrefix(said, "Your account ") || !strings.Contains(said, " is signed out of Messenger. ") {
		t.Errorf("the user is told: %s", said)
	}
	s.UserSends("mary", "while signed out")
	token := s.Service.IssueToken("alice@contoso.example")
	s.UserTellsBot("login token")
	s.BotSays("Please enter your Access token")
	s.UserAnswersBot(token)
	s.BotSays("Successfully logged in as")
	s.ContactReceives("mary", "while signed out")
	s.ServiceSends("mary", "welcome back")
	s.RoomShows("mary", "welcome back")
	s.AreNowhere(map[string]string{"the token": token})
	s.NothingElseWasSaid()
}

func TestALostSignInIsToldOnceThoughTheHomeserverStumbles(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.BotSays("login")
	signedOut := func(r homeserver.Request) bool {
		return r.Endpoint == "send" && strings.Contains(string(r.Body), "is signed out")
	}
	lost := s.HS.FailAfter(signedOut, http.StatusBadGateway, `{}`, 1) // it is there, and the bridge does not know
	away := s.HS.Fail(signedOut, http.StatusBadGateway, `{}`, 0)
	s.Service.RevokeTokens("alice@contoso.example")
	s.ConnectionBreaks()
	within(t, func(ctx context.Context) error { return errors.Join(lost.WaitHits(ctx, 1), away.WaitHits(ctx, 1)) })
	away.Remove()
	within(t, func(ctx context.Context) error {
		_, err := s.HS.WaitRequest(ctx, func(r homeserver.Request) bool { return signedOut(r) && r.Status == http.StatusOK })
		return err
	})
	s.UserTellsBot("status")
	s.BotSays("signed out since")
	token := s.Service.IssueToken("alice@contoso.example")
	s.UserTellsBot("login token")
	s.BotSays("Please enter your Access token")
	s.UserAnswersBot(token)
	s.BotSays("Successfully logged in as")
	told := 0
	for _, ev := range s.Alice.Messages(s.BotRoom()) {
		if ev.Sender == s.Bot() && strings.Contains(ev.Body(), "is signed out") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("that the account is signed out is told %d times", told)
	}
}

// withSomethingQueued is a bridge whose user has written in the given room while the service is away.
func withSomethingQueued(t *testing.T) (s *scenario.Scenario, room id.RoomID) {
	t.Helper()
	s = scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "before")
	s.RoomShows("mary", "before")
	s.UserTellsBot("help")
	s.ServiceGoesDown()
	room = s.Room("mary")
	if _, err := s.Alice.SendText(room, "too late"); err != nil {
		t.Fatal(err)
	}
	s.BridgeHasHandledWhatIsIn("mary")
	return s, room
}

func TestLoggingOutReportsWhatIsQueuedAndWipesTheAccount(t *testing.T) {
	s, room := withSomethingQueued(t)
	s.UserTellsBot("logout 1000@messenger.example")
	s.FormerRoomTells(room, "you logged out of Messenger before it could be sent")
	s.BotSays("Logged out")
	s.ServiceComesBack()
	s.UserIsSignedOut()
	s.FormerRoomTells(room, "this chat is not connected any more")
	s.LoginWithToken()
	s.UserStartsChat("mary")
	s.UserSends("mary", "back again")
	s.ContactReceives("mary", "back again")
}

func TestALogoutTellsWhatWasNotSentThoughTheHomeserverStumbles(t *testing.T) {
	s, room := withSomethingQueued(t)
	s.HS.Fail(func(r homeserver.Request) bool {
		return homeserver.Sends("m.room.message")(r) && r.RoomID == room && r.UserID == s.Bot()
	},
		http.StatusBadGateway, `{"errcode":"M_UNKNOWN","error":"stumbling"}`, 2)
	s.UserTellsBot("logout 1000@messenger.example")
	s.FormerRoomTells(room, "before it could be sent")
	s.BotSays("Logged out")
}

func TestALogoutTellsWhatWasNotSentThoughTheHomeserverIsAwayForLongAndTheBridgeIsKilled(t *testing.T) {
	s, room := withSomethingQueued(t)
	away := s.HS.Fail(func(r homeserver.Request) bool { return r.Method != http.MethodGet && r.RoomID == room }, http.StatusBadGateway,
		`{"errcode":"M_UNKNOWN","error":"away"}`, 0)
	s.UserTellsBot("logout 1000@messenger.example")
	s.BotSays("Logged out")
	s.TableHas("user_login", func(rows []string) bool { return len(rows) == 0 })
	s.KillBridge()
	s.StartBridge()
	away.Remove()
	s.FormerRoomTells(room, "before it could be sent")
	s.FormerRoomTells(room, "not connected any more")
	s.TableHas("messenger_outbox", func(rows []string) bool { return len(rows) == 0 })
}

func TestAMessageThatIsBeingTakenWhenItsSenderLogsOutIsToldNotToBeSent(t *testing.T) {
	opts, _ := reporting(t)
	s := scenario.Start(t, opts)
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	room := s.Room("mary")
	taking := s.HS.Block(func(r homeserver.Request) bool {
		return r.RoomID == room && r.EventType == event.BeeperMessageStatus.Type
	})
	if _, err := s.Alice.SendText(room, "wait for me"); err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error { return taking.WaitHits(ctx, 1) })
	s.UserTellsBot("logout 1000@messenger.example")
	s.TableHas("messenger_credential", func(rows []string) bool { return len(rows) == 0 })
	taking.Remove()
	s.FormerRoomTells(room, "before it could be sent")
	s.FormerRoomTells(room, "not connected any more")
	s.TableHas("messenger_outbox", func(rows []string) bool { return len(rows) == 0 })
}

// open fetches a page as a browser does.
func open(t *testing.T, address string) string {
	t.Helper()
	client := &http.Client{Timeout: scenario.StepTimeout}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func query(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Query().Get(name) == "" {
		t.Fatalf("there is no %s in the address", name)
	}
	return u.Query().Get(name)
}

func link(text string) string {
	for _, word := range strings.Fields(text) {
		if strings.HasPrefix(word, "http://") {
			return word
		}
	}
	return ""
}

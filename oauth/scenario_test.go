package oauth_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"matrix-messenger/internal/testclock"
	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/oauthserver/browsertest"
	"matrix-messenger/messengerd/tokens"
	"matrix-messenger/oauth"
)

const (
	owner     = "@john:example.org"
	clientID  = "000000004C060001"
	secret    = "the client's own secret +/="
	john      = "john@contoso.com"
	password  = "correct horse battery"
	testLimit = 60 * time.Second
)

type people struct{}

func (people) Authenticate(email, given string) (string, bool) {
	return "john", email == john && given == password
}

func (people) Profile(string) (cid, email, name string) {
	return "0123456789abcdef", john, "John"
}

// lockedBuffer is a log that several goroutines write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newClock() *testclock.Clock { return testclock.New(time.Date(2012, 4, 2, 10, 0, 0, 0, time.UTC)) }

// scene is the stand-in's sign-in server, the bridge's client and callback
// address, and a record of all secrets that crossed the wire and all that was
// logged or said.
type scene struct {
	*testing.T
	service   *oauthserver.Server
	serviceAt string
	tokens    *tokens.Store
	client    *oauth.Client
	cfg       oauth.Config
	bridgeAt  string
	clock     *testclock.Clock
	said      lockedBuffer // logs and errors

	mu       sync.Mutex
	callback http.Handler
	secrets  map[string]bool
	requests []string // methods of requests to the token address
}

type setting func(*oauth.Config)

func pasteWay(c *oauth.Config) {
	c.RedirectURL = strings.Replace(c.TokenURL, "/oauth20_token.srf", "/oauth20_desktop.srf", 1)
}

func newScene(t *testing.T, settings ...setting) *scene {
	t.Helper()
	s := &scene{T: t, clock: newClock(), secrets: map[string]bool{secret: true, password: true}}
	s.tokens = tokens.New(tokens.Options{Now: s.clock.Now})

	bridge := http.NewServeMux()
	bridgeServer := httptest.NewServer(bridge)
	t.Cleanup(bridgeServer.Close)
	s.bridgeAt = bridgeServer.URL

	service, err := oauthserver.New(oauthserver.Config{Clients: []oauthserver.Client{
		{ID: clientID, Secret: secret, Name: "Matrix bridge", Redirects: []string{s.bridgeAt}},
	}}, people{}, s.tokens, oauthserver.WithClock(s.clock.Now))
	if err != nil {
		t.Fatal(err)
	}
	s.service = service
	serviceServer := httptest.NewServer(s.spy(service))
	t.Cleanup(serviceServer.Close)
	s.serviceAt = serviceServer.URL

	s.cfg = oauth.Config{
		Service:  "Chatter",
		ClientID: clientID, ClientSecret: secret,
		AuthorizeURL: s.serviceAt + "/oauth20_authorize.srf",
		TokenURL:     s.serviceAt + "/oauth20_token.srf",
		RedirectURL:  s.bridgeAt + oauth.CallbackPath,
		Scopes:       []string{"wl.messenger", "wl.offline_access"},
	}
	for _, set := range settings {
		set(&s.cfg)
	}
	s.client, err = oauth.NewClient(s.cfg, oauth.WithClock(s.clock.Now), oauth.WithDoneWait(testLimit),
		oauth.WithRetryWait(func(int) time.Duration { return 0 }))
	if err != nil {
		t.Fatal(err)
	}
	s.useClient(s.client)
	bridge.HandleFunc(oauth.CallbackPath, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		handler := s.callback
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	})
	t.Cleanup(s.expectNoSecretSaid)
	return s
}

// useClient lets the bridge's callback address work for a client.
func (s *scene) useClient(c *oauth.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = c
	s.callback = c.Callback(zerolog.New(&s.said).Level(zerolog.TraceLevel))
}

// spy notes all secrets in requests to and answers from the service.
func (s *scene) spy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		for _, text := range []string{r.URL.RawQuery, string(body)} {
			s.noteParams(text)
		}
		if u, err := url.Parse(rec.Header().Get("Location")); err == nil {
			s.noteParams(u.RawQuery)
			s.noteParams(u.EscapedFragment())
		}
		var answer map[string]any
		decodeJSON(rec.Body.Bytes(), &answer)
		for name, value := range answer {
			s.noteParam(name, fmt.Sprint(value))
		}
		if r.URL.Path == "/oauth20_token.srf" {
			s.mu.Lock()
			s.requests = append(s.requests, r.Method)
			s.mu.Unlock()
		}
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

func (s *scene) noteParams(query string) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return
	}
	for name, values := range params {
		for _, value := range values {
			s.noteParam(name, value)
		}
	}
}

func (s *scene) noteParam(name, value string) {
	switch name {
	case "code", "state", "code_verifier", "access_token", "refresh_token", "authentication_token", "client_secret", "password":
		if len(value) >= 8 {
			s.mu.Lock()
			s.secrets[value] = true
			s.mu.Unlock()
		}
	}
}

// expectNoSecretSaid searches everything said for everything secret, also in
// the forms that URLs, JSON and Go give it.
func (s *scene) expectNoSecretSaid() {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said.String()
	for one := range s.secrets {
		for _, form := range []string{one, url.QueryEscape(one), url.PathEscape(one), fmt.Sprintf("%q", one)} {
			if strings.Contains(said, form) {
				s.Errorf("a secret was said:\n%s", said)
				return
			}
		}
	}
}

// say records an error, or any value, in all the ways it may be printed.
func (s *scene) say(values ...any) {
	for _, v := range values {
		fmt.Fprintf(&s.said, "%v %+v %#v %s %q\n", v, v, v, v, v)
		if e, ok := v.(interface{ HumanError() string }); ok {
			fmt.Fprintln(&s.said, e.HumanError())
		}
		zl := zerolog.New(&s.said)
		zl.Info().Any("value", v).Msg("")
	}
}

func (s *scene) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), testLimit)
	s.Cleanup(cancel)
	return ctx
}

func (s *scene) set(sw oauthserver.Switches) {
	s.Helper()
	if err := s.service.SetSwitches(sw); err != nil {
		s.Fatal(err)
	}
}

// userOpens lets the user open a link and allow, or deny, the access.
func (s *scene) userOpens(link string, deny bool) string {
	s.Helper()
	target, err := browsertest.Visitor{Email: john, Password: password, Deny: deny}.Visit(s.ctx(), link)
	if err != nil {
		s.Fatal(err)
	}
	return target
}

// browserGets opens an address and gives status, headers and page.
func (s *scene) browserGets(address string) (*http.Response, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx(), http.MethodGet, address, nil)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp, string(body)
}

// signIn goes the pasted way to the end.
func (s *scene) signIn() oauth.Tokens {
	s.Helper()
	link, a := s.client.Begin(owner)
	pasted, err := s.client.ParsePasted(a, s.userOpens(link, false))
	if err != nil {
		s.Fatal(err)
	}
	t, err := s.client.Exchange(s.ctx(), a, pasted.Code)
	if err != nil {
		s.Fatal(err)
	}
	s.say(t, pasted, a)
	return t
}

func (s *scene) expectClass(err error, want oauth.Class) *oauth.Error {
	s.Helper()
	s.say(err)
	if oauth.ClassOf(err) != want {
		s.Fatalf("error is %v (%v), want class %v", err, oauth.ClassOf(err), want)
	}
	e, ok := err.(*oauth.Error)
	if !ok {
		s.Fatalf("error is a %T", err)
	}
	if text := e.HumanError(); text == "" || strings.Contains(text, "oauth:") {
		s.Errorf("the user's text is %q", text)
	}
	return e
}

func (s *scene) expectToken(token string, want tokens.Status) {
	s.Helper()
	if account, got := s.tokens.Lookup(token); got != want || got == tokens.Valid && account != "john" {
		s.Errorf("the access token is %v for %q, want %v", got, account, want)
	}
}

func (s *scene) tokenRequests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

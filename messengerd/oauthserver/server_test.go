package oauthserver_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"matrix-messenger/internal/testclock"
	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/oauthserver/browsertest"
	"matrix-messenger/messengerd/tokens"
)

type people struct{}

func (people) Authenticate(email, password string) (string, bool) {
	return "john", email == "john@contoso.com" && password == "correct horse"
}

func (people) Profile(string) (cid, email, name string) {
	return "0123456789abcdef", "john@contoso.com", "John"
}

const (
	desktopApp = "000000004C060001"
	webApp     = "000000004C060002"
	webSecret  = "web+secret/="
	tiedApp    = "000000004C060003"
	webTarget  = "https://bridge.example/_messenger/oauth/callback"
)

type service struct {
	*testing.T
	url    string
	server *oauthserver.Server
	tokens *tokens.Store
	clock  *testclock.Clock
}

func start(t *testing.T) *service {
	t.Helper()
	c := testclock.New(time.Date(2012, 4, 1, 0, 0, 0, 0, time.UTC))
	store := tokens.New(tokens.Options{Now: c.Now})
	server, err := oauthserver.New(oauthserver.Config{Clients: []oauthserver.Client{
		{ID: desktopApp, Name: "Desktop app"},
		{ID: webApp, Name: "Web app", Secret: webSecret, Redirects: []string{webTarget, "https://other.example"}},
		{ID: tiedApp, Forbidden: []string{"token", "refresh_token"}},
	}}, people{}, store, oauthserver.WithClock(c.Now))
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(server)
	t.Cleanup(ts.Close)
	return &service{T: t, url: ts.URL, server: server, tokens: store, clock: c}
}

func (s *service) set(sw oauthserver.Switches) {
	s.Helper()
	if err := s.server.SetSwitches(sw); err != nil {
		s.Fatal(err)
	}
}

func (s *service) desktop() string { return s.url + "/oauth20_desktop.srf" }

// link is an authorize link of the desktop app with some parameters changed;
// an empty value removes one.
func (s *service) link(change ...string) string {
	q := url.Values{
		"client_id": {desktopApp}, "scope": {"wl.messenger wl.offline_access"},
		"response_type": {"code"}, "redirect_uri": {s.desktop()}, "state": {"a state&=+"},
	}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
		if change[i+1] == "" {
			q.Del(change[i])
		}
	}
	return s.url + "/oauth20_authorize.srf?" + q.Encode()
}

func (s *service) visit(link string) string {
	s.Helper()
	v := browsertest.Visitor{Email: "john@contoso.com", Password: "correct horse"}
	target, err := v.Visit(s.Context(), link)
	if err != nil {
		s.Fatal(err)
	}
	return target
}

// code signs in and gives the code.
func (s *service) code(change ...string) string {
	s.Helper()
	u, err := url.Parse(s.visit(s.link(change...)))
	if err != nil {
		s.Fatal(err)
	}
	if u.Query().Get("code") == "" {
		s.Fatalf("no code in %s", u)
	}
	return u.Query().Get("code")
}

type answer struct {
	status      int
	header      http.Header
	body        string
	Type        string          `json:"token_type"`
	Expires     json.RawMessage `json:"expires_in"`
	Scope       string          `json:"scope"`
	Access      string          `json:"access_token"`
	Refresh     string          `json:"refresh_token"`
	Error       string          `json:"error"`
	Description string          `json:"error_description"`
}

func (s *service) do(req *http.Request) answer {
	s.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && req.URL.Path != "/v5.0/me" {
		if err := json.Unmarshal(body, &a); err != nil {
			s.Fatal(err)
		}
	}
	return a
}

func (s *service) request(method, path string, params url.Values) *http.Request {
	s.Helper()
	address, body := s.url+path, io.Reader(nil)
	if method == http.MethodPost {
		body = strings.NewReader(params.Encode())
	} else {
		address += "?" + params.Encode()
	}
	req, err := http.NewRequestWithContext(s.Context(), method, address, body)
	if err != nil {
		s.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req
}

func (s *service) ask(params url.Values) answer {
	s.Helper()
	return s.do(s.request(http.MethodPost, "/oauth20_token.srf", params))
}

func (s *service) codeParams(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"client_id": {desktopApp}, "redirect_uri": {s.desktop()},
	}
}

func refreshParams(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {desktopApp}}
}

func (s *service) expectError(a answer, status int, code string) {
	s.Helper()
	if a.status != status || a.Error != code || a.Description == "" {
		s.Errorf("answer is %d %s, want %d %s", a.status, a.body, status, code)
	}
}

func (s *service) expectStatus(token string, want tokens.Status) {
	s.Helper()
	if _, got := s.tokens.Lookup(token); got != want {
		s.Errorf("the token is %v, want %v", got, want)
	}
}

func TestACodeIsExchangedForTokens(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, path := range []string{"/oauth20_token.srf", "/token"} {
			t.Run(method+" "+path, func(t *testing.T) {
				s := start(t)
				target, err := url.Parse(s.visit(s.link()))
				if err != nil {
					t.Fatal(err)
				}
				if q := target.Query(); q.Get("state") != "a state&=+" || q.Get("lc") != "1033" {
					t.Errorf("sent back with %v", q)
				}
				a := s.do(s.request(method, path, s.codeParams(target.Query().Get("code"))))
				if a.status != 200 || a.Type != "bearer" || string(a.Expires) != "3600" || a.Scope != "wl.messenger wl.offline_access" || a.Refresh == "" {
					t.Fatalf("answer is %d %s", a.status, a.body)
				}
				for name, want := range map[string]string{"Content-Type": "application/json;charset=UTF-8", "Cache-Control": "no-store", "Pragma": "no-cache"} {
					if got := a.header.Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if account, status := s.tokens.Lookup(a.Access); account != "john" || status != tokens.Valid {
					t.Errorf("the access token is %v for %q", status, account)
				}
			})
		}
	}
}

func TestACodeWorksOnceAndTheSecondUseRevokesItsTokens(t *testing.T) {
	s := start(t)
	code := s.code()
	first := s.ask(s.codeParams(code))
	s.expectStatus(first.Access, tokens.Valid)
	s.expectError(s.ask(s.codeParams(code)), 400, "invalid_grant")
	s.expectStatus(first.Access, tokens.Revoked)
	s.expectError(s.ask(refreshParams(first.Refresh)), 400, "invalid_grant")
}

func TestACodeWorksForTenMinutes(t *testing.T) {
	s := start(t)
	early, late := s.code(), s.code()
	s.clock.Advance(10*time.Minute - time.Second)
	if a := s.ask(s.codeParams(early)); a.status != 200 {
		t.Errorf("just before ten minutes: %d %s", a.status, a.body)
	}
	s.clock.Advance(time.Second)
	s.expectError(s.ask(s.codeParams(late)), 400, "invalid_grant")
}

func TestARefreshTokenIsReplacedAndItsReuseEndsTheConsent(t *testing.T) {
	s := start(t)
	first := s.ask(s.codeParams(s.code()))
	second := s.ask(refreshParams(first.Refresh))
	if second.status != 200 || second.Refresh == "" || second.Refresh == first.Refresh || second.Access == first.Access {
		t.Fatalf("answer is %d %s", second.status, second.body)
	}
	third := s.ask(refreshParams(second.Refresh))
	s.expectStatus(third.Access, tokens.Valid)
	s.expectError(s.ask(refreshParams(first.Refresh)), 400, "invalid_grant")
	s.expectError(s.ask(refreshParams(third.Refresh)), 400, "invalid_grant")
	for _, a := range []answer{first, second, third} {
		s.expectStatus(a.Access, tokens.Revoked)
	}
}

func TestSwitchesOfRefreshTokens(t *testing.T) {
	s := start(t)
	first := s.ask(s.codeParams(s.code()))
	s.set(oauthserver.Switches{RefreshToken: oauthserver.RefreshKept})
	for range 3 {
		if a := s.ask(refreshParams(first.Refresh)); a.status != 200 || a.Refresh != first.Refresh {
			t.Errorf("kept: %d %s", a.status, a.body)
		}
	}
	s.set(oauthserver.Switches{RefreshToken: oauthserver.RefreshNotIssued})
	if a := s.ask(refreshParams(first.Refresh)); a.status != 200 || a.Refresh != "" {
		t.Errorf("not issued, refresh: %d %s", a.status, a.body)
	}
	if a := s.ask(s.codeParams(s.code())); a.status != 200 || a.Refresh != "" {
		t.Errorf("not issued, code: %d %s", a.status, a.body)
	}
	s.set(oauthserver.Switches{RefreshToken: oauthserver.RefreshExpired})
	s.expectError(s.ask(refreshParams(first.Refresh)), 400, "invalid_grant")
	s.set(oauthserver.Switches{})
	if a := s.ask(refreshParams(first.Refresh)); a.status != 200 {
		t.Errorf("after the switches were reset: %d %s", a.status, a.body)
	}
}

func TestSwitchesOfExpiresInAndTokenLife(t *testing.T) {
	s := start(t)
	for form, want := range map[oauthserver.ExpiresIn]string{
		oauthserver.ExpiresInNumber: `60`, oauthserver.ExpiresInString: `"60"`, oauthserver.ExpiresInAbsent: ``,
	} {
		s.set(oauthserver.Switches{ExpiresIn: form, TokenLife: time.Minute})
		a := s.ask(s.codeParams(s.code()))
		if string(a.Expires) != want {
			t.Errorf("%s: expires_in is %s, want %s", form, a.Expires, want)
		}
		s.clock.Advance(time.Minute)
		s.expectStatus(a.Access, tokens.Expired)
	}
}

func TestSwitchesOfTheTokenAddress(t *testing.T) {
	tests := map[oauthserver.TokenAddress][2]int{ // statuses of GET and POST
		oauthserver.TokenWorks:    {200, 200},
		oauthserver.TokenBusy:     {429, 429},
		oauthserver.TokenBroken:   {500, 500},
		oauthserver.TokenNotJSON:  {200, 200},
		oauthserver.TokenGETOnly:  {200, 405},
		oauthserver.TokenPOSTOnly: {405, 200},
	}
	for address, want := range tests {
		t.Run(string(address), func(t *testing.T) {
			s := start(t)
			for i, method := range []string{http.MethodGet, http.MethodPost} {
				params := s.codeParams(s.code())
				s.set(oauthserver.Switches{TokenAddress: address})
				a := s.do(s.request(method, "/oauth20_token.srf", params))
				if a.status != want[i] {
					t.Errorf("%s gives %d, want %d", method, a.status, want[i])
				}
				if tokens := a.Access != ""; tokens != (want[i] == 200 && address != oauthserver.TokenNotJSON) {
					t.Errorf("%s gives %s", method, a.body)
				}
			}
		})
	}
}

func TestUnknownSwitchesAreRefused(t *testing.T) {
	for name, sw := range map[string]oauthserver.Switches{
		"expires_in":      {ExpiresIn: "letter"},
		"refresh_token":   {RefreshToken: "eaten"},
		"token_address":   {TokenAddress: "418"},
		"token_life":      {TokenLife: -1},
		"authorize_error": {AuthorizeError: "invalid_grant"},
		"token_error":     {TokenError: "oops"},
	} {
		if err := sw.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	s := start(t)
	if err := s.server.SetSwitches(oauthserver.Switches{ExpiresIn: "letter"}); err == nil {
		t.Error("an unknown switch was set")
	}
	if s.server.Switches().ExpiresIn != oauthserver.ExpiresInNumber {
		t.Error("a refused switch changed something")
	}
}

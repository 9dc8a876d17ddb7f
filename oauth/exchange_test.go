package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/tokens"
	"matrix-messenger/oauth"
)

func decodeJSON(body []byte, into any) { _ = json.Unmarshal(body, into) }

func TestTheLinkAsksForWhatTheServiceDocuments(t *testing.T) {
	s := newScene(t)
	link, _ := s.client.Begin(owner)
	if !strings.Contains(link, "scope=wl.messenger%20wl.offline_access") {
		t.Errorf("scopes are not separated by %%20 in %s", link)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"client_id": clientID, "response_type": "code", "redirect_uri": s.cfg.RedirectURL, "code_challenge_method": "S256",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if len(q.Get("state")) < 22 || len(q.Get("code_challenge")) != 43 || q.Has("client_secret") {
		t.Errorf("the link is %s", link)
	}
	if other, _ := s.client.Begin(owner); other == link {
		t.Error("two sign-ins have the same link")
	}
}

func TestASignInByPastingGivesTokens(t *testing.T) {
	s := newScene(t, pasteWay)
	got := s.signIn()
	s.expectToken(got.Access, tokens.Valid)
	if got.Refresh == "" || !got.Expires.Equal(s.clock.Now().Add(time.Hour)) || !slices.Equal(got.Scope, s.cfg.Scopes) {
		t.Errorf("got %v", got)
	}
}

func TestACodeIsExchangedOnlyOnce(t *testing.T) {
	s := newScene(t, pasteWay)
	link, a := s.client.Begin(owner)
	p, err := s.client.ParsePasted(a, s.userOpens(link, false))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.client.Exchange(s.ctx(), a, p.Code)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.client.Exchange(s.ctx(), a, p.Code)
	s.expectClass(err, oauth.StartAgain)
	// The second one did not reach the service, which would have revoked all.
	s.expectToken(got.Access, tokens.Valid)
}

func TestATransientFailureLetsTheSameCodeBeTriedAgain(t *testing.T) {
	s := newScene(t, pasteWay)
	link, a := s.client.Begin(owner)
	p, err := s.client.ParsePasted(a, s.userOpens(link, false))
	if err != nil {
		t.Fatal(err)
	}
	s.set(oauthserver.Switches{TokenAddress: oauthserver.TokenBroken})
	_, err = s.client.Exchange(s.ctx(), a, p.Code)
	s.expectClass(err, oauth.Transient)
	s.set(oauthserver.Switches{})
	got, err := s.client.Exchange(s.ctx(), a, p.Code)
	if err != nil {
		t.Fatal(err)
	}
	s.expectToken(got.Access, tokens.Valid)
}

func TestExpiresInMayBeNumberStringOrAbsent(t *testing.T) {
	s := newScene(t, pasteWay)
	for form, want := range map[oauthserver.ExpiresIn]time.Duration{
		oauthserver.ExpiresInNumber: time.Minute,
		oauthserver.ExpiresInString: time.Minute,
		oauthserver.ExpiresInAbsent: time.Hour, // assumed
	} {
		s.set(oauthserver.Switches{ExpiresIn: form, TokenLife: time.Minute})
		got := s.signIn()
		if life := got.Expires.Sub(s.clock.Now()); life != want {
			t.Errorf("%s: the token lives %v, want %v", form, life, want)
		}
	}
}

func TestEveryErrorOfTheServiceHasItsClass(t *testing.T) {
	tests := []struct {
		code              string
		exchange, refresh oauth.Class
	}{
		{"invalid_request", oauth.Admin, oauth.Admin},
		{"invalid_client", oauth.Admin, oauth.Admin},
		{"invalid_grant", oauth.StartAgain, oauth.LoginNeeded},
		{"unauthorized_client", oauth.Admin, oauth.Admin},
		{"unsupported_grant_type", oauth.Admin, oauth.Admin},
		{"invalid_scope", oauth.Admin, oauth.Admin},
		{"unsupported_response_type", oauth.Admin, oauth.Admin},
		{"access_denied", oauth.Refused, oauth.Refused},
		{"server_error", oauth.Transient, oauth.Transient},
		{"temporarily_unavailable", oauth.Transient, oauth.Transient},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			s := newScene(t, pasteWay)
			old := s.signIn()
			link, a := s.client.Begin(owner)
			p, err := s.client.ParsePasted(a, s.userOpens(link, false))
			if err != nil {
				t.Fatal(err)
			}
			s.set(oauthserver.Switches{TokenError: tt.code})
			_, err = s.client.Exchange(s.ctx(), a, p.Code)
			if e := s.expectClass(err, tt.exchange); e.Code != tt.code || e.Status != 400 {
				t.Errorf("code %q, status %d", e.Code, e.Status)
			}
			_, err = s.client.Refresh(s.ctx(), old)
			s.expectClass(err, tt.refresh)
		})
	}
}

func TestFaultsOfTheTokenAddressAreTransient(t *testing.T) {
	for _, fault := range []oauthserver.TokenAddress{oauthserver.TokenBusy, oauthserver.TokenBroken, oauthserver.TokenNotJSON, oauthserver.TokenGETOnly} {
		t.Run(string(fault), func(t *testing.T) {
			s := newScene(t, pasteWay)
			old := s.signIn()
			s.set(oauthserver.Switches{TokenAddress: fault})
			_, err := s.client.Refresh(s.ctx(), old)
			e := s.expectClass(err, oauth.Transient)
			if wait := e.RetryAfter; (fault == oauthserver.TokenBusy) != (wait == 30*time.Second) {
				t.Errorf("RetryAfter is %v", wait)
			}
			s.set(oauthserver.Switches{TokenAddress: oauthserver.TokenPOSTOnly})
			if _, err = s.client.Refresh(s.ctx(), old); err != nil {
				t.Errorf("the tokens were not kept: %v", err)
			}
		})
	}
}

func TestTheGETFallbackIsUsedOnlyWhenAllowedAndNeeded(t *testing.T) {
	fallback := func(c *oauth.Config) { c.GetFallback = true }
	tests := []struct {
		address oauthserver.TokenAddress
		want    []string
		ok      bool
	}{
		{oauthserver.TokenWorks, []string{"POST"}, true},
		{oauthserver.TokenGETOnly, []string{"POST", "GET"}, true},
		{oauthserver.TokenNotJSON, []string{"POST", "GET"}, false},
		{oauthserver.TokenBusy, []string{"POST"}, false},
		{oauthserver.TokenBroken, []string{"POST"}, false},
	}
	for _, tt := range tests {
		t.Run(string(tt.address), func(t *testing.T) {
			s := newScene(t, pasteWay, fallback)
			old := s.signIn()
			before := len(s.tokenRequests())
			s.set(oauthserver.Switches{TokenAddress: tt.address})
			_, err := s.client.Refresh(s.ctx(), old)
			if (err == nil) != tt.ok {
				t.Errorf("error is %v", err)
			}
			s.say(err)
			if got := s.tokenRequests()[before:]; !slices.Equal(got, tt.want) {
				t.Errorf("requests were %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("an OAuth error is no reason for GET", func(t *testing.T) {
		s := newScene(t, pasteWay, fallback)
		_, err := s.client.Refresh(s.ctx(), oauth.Tokens{Refresh: "unknown token"})
		s.expectClass(err, oauth.LoginNeeded)
		if got := s.tokenRequests(); !slices.Equal(got, []string{"POST"}) {
			t.Errorf("requests were %q", got)
		}
	})
}

func TestRefreshTokensAreReplacedOrKept(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	second, err := s.client.Refresh(s.ctx(), first)
	if err != nil {
		t.Fatal(err)
	}
	if second.Refresh == first.Refresh || second.Access == first.Access || !slices.Equal(second.Scope, first.Scope) {
		t.Errorf("refreshing %v gave %v", first, second)
	}
	s.set(oauthserver.Switches{RefreshToken: oauthserver.RefreshNotIssued})
	third, err := s.client.Refresh(s.ctx(), second)
	if err != nil {
		t.Fatal(err)
	}
	if third.Refresh != second.Refresh {
		t.Error("the old refresh token was not kept when the answer had none")
	}
	s.set(oauthserver.Switches{RefreshToken: oauthserver.RefreshExpired})
	_, err = s.client.Refresh(s.ctx(), third)
	s.expectClass(err, oauth.LoginNeeded)
	s.set(oauthserver.Switches{})
	_, err = s.client.Refresh(s.ctx(), first)
	s.expectClass(err, oauth.LoginNeeded) // used twice
	_, err = s.client.Refresh(s.ctx(), oauth.Tokens{Access: "only this"})
	s.expectClass(err, oauth.LoginNeeded)
}

func TestARefreshNeverAsksForMoreThanWasGranted(t *testing.T) {
	s := newScene(t, pasteWay, func(c *oauth.Config) { c.Scopes = []string{"wl.messenger", "wl.offline_access"} })
	granted := s.signIn()
	// The administrator asks for more from now on; old logins must go on working.
	s.cfg.Scopes = append(s.cfg.Scopes, "wl.emails")
	wider, err := oauth.NewClient(s.cfg, oauth.WithClock(s.clock.Now))
	if err != nil {
		t.Fatal(err)
	}
	next, err := wider.Refresh(s.ctx(), granted)
	if err != nil {
		t.Fatal(err)
	}
	next.Scope = nil // as from a pasted refresh token
	if next, err = wider.Refresh(s.ctx(), next); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(next.Scope, granted.Scope) {
		t.Errorf("scope is %q", next.Scope)
	}
}

// oddService answers every token request with the same odd answer.
func oddService(t *testing.T, handler http.HandlerFunc) *oauth.Client {
	t.Helper()
	ts := httptest.NewServer(handler)
	t.Cleanup(ts.Close)
	c, err := oauth.NewClient(oauth.Config{
		ClientID: clientID, ClientSecret: secret, AuthorizeURL: ts.URL + "/a", TokenURL: ts.URL + "/t",
		RedirectURL: ts.URL + "/d", Scopes: []string{"wl.messenger"},
	}, oauth.WithClock(newClock().Now))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOddAnswersAreHandled(t *testing.T) {
	const token = `"access_token":"EwA+/w=="`
	tests := []struct {
		name   string
		status int
		body   string
		class  oauth.Class // 0: success
		life   time.Duration
	}{
		{"type in another case", 200, `{"token_type":"BeArEr",` + token + `}`, 0, time.Hour},
		{"no type", 200, `{` + token + `}`, 0, time.Hour},
		{"unknown type", 200, `{"token_type":"mac",` + token + `}`, oauth.Admin, 0},
		{"fractions of a second", 200, `{` + token + `,"expires_in":59.9}`, 0, 59 * time.Second},
		{"zero life", 200, `{` + token + `,"expires_in":0}`, 0, time.Hour},
		{"negative life", 200, `{` + token + `,"expires_in":"-5"}`, 0, time.Hour},
		{"endless life", 200, `{` + token + `,"expires_in":1e300}`, 0, 10 * 365 * 24 * time.Hour},
		{"life is nonsense", 200, `{` + token + `,"expires_in":{"a":1}}`, 0, time.Hour},
		{"scope is nonsense", 200, `{` + token + `,"scope":["wl.messenger"]}`, 0, time.Hour},
		{"no token", 200, `{}`, oauth.Transient, 0},
		{"a token that XML cannot hold", 200, `{"access_token":"a\u0000b"}`, oauth.Transient, 0},
		{"null", 200, `null`, oauth.Transient, 0},
		{"a list", 200, `[]`, oauth.Transient, 0},
		{"empty", 200, ``, oauth.Transient, 0},
		{"too long", 200, `{"x":"` + strings.Repeat("x", 300<<10) + `",` + token + `}`, oauth.Transient, 0},
		{"error with status 200", 200, `{"error":"invalid_grant"}`, oauth.LoginNeeded, 0},
		{"error with status 503", 503, `{"error":"invalid_grant"}`, oauth.Transient, 0},
		{"error of another shape", 400, `{"error":{"code":"request_token_invalid"}}`, oauth.Admin, 0},
		{"status without words", 403, `{}`, oauth.Transient, 0},
		{"unknown error", 400, `{"error":"interaction_required"}`, oauth.Admin, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := oddService(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			got, err := c.Refresh(t.Context(), oauth.Tokens{Refresh: "old", Scope: []string{"wl.messenger"}})
			if oauth.ClassOf(err) != tt.class {
				t.Fatalf("error is %v, want class %v", err, tt.class)
			}
			if tt.class == 0 && (got.Access != "EwA+/w==" || got.Expires.Sub(newClock().Now()) != tt.life || !slices.Equal(got.Scope, []string{"wl.messenger"})) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestARedirectOfTheTokenAddressIsNotFollowed(t *testing.T) {
	followed := false
	c := oddService(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			followed = true
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	_, err := c.Refresh(t.Context(), oauth.Tokens{Refresh: "old refresh token"})
	if oauth.ClassOf(err) != oauth.Transient || followed || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("error is %v, followed: %v", err, followed)
	}
}

func TestErrorsDoNotRepeatWhatTheServiceEchoes(t *testing.T) {
	const refresh = "MR.old+refresh/token=="
	c := oddService(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := json.Marshal(map[string]string{
			"error":             "invalid_client",
			"error_description": "Bad request: " + r.FormValue("refresh_token") + " " + url.QueryEscape(r.FormValue("client_secret")) + "\r\n\x1b[31m",
		})
		w.WriteHeader(400)
		_, _ = w.Write(body)
	})
	_, err := c.Refresh(t.Context(), oauth.Tokens{Refresh: refresh})
	if err == nil || !strings.Contains(err.Error(), "Bad request: [removed] [removed]") || strings.ContainsAny(err.Error(), "\r\n\x1b") {
		t.Errorf("error is %q", err)
	}
}

func TestAnUnreachableServiceIsTransientAndNamesNoAddress(t *testing.T) {
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	s := newScene(t, pasteWay, func(c *oauth.Config) { c.TokenURL = dead.URL + "/t?key=value"; c.GetFallback = true })
	_, err := s.client.Refresh(s.ctx(), oauth.Tokens{Refresh: "a refresh token"})
	s.expectClass(err, oauth.Transient)
	if strings.Contains(err.Error(), "key=value") {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	if _, err = s.client.Refresh(ctx, oauth.Tokens{Refresh: "a refresh token"}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller gave up: %v", err)
	}
}

package oauthserver_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/oauthserver/browsertest"
	"matrix-messenger/messengerd/tokens"
)

func TestTheImplicitFlowPutsAnEscapedTokenIntoTheFragment(t *testing.T) {
	s := start(t)
	target := s.visit(s.link("response_type", "token", "scope", "wl.messenger"))
	address, fragment, ok := strings.Cut(target, "#")
	if !ok || address != s.desktop() {
		t.Fatalf("sent to %s", target)
	}
	if !regexp.MustCompile(`^access_token=EwA[A-Za-z0-9%._~-]*%2b[A-Za-z0-9%._~-]*%2f[A-Za-z0-9%._~-]*%3d%3d&token_type=bearer&expires_in=3600&scope=wl\.messenger&authentication_token=ey`).MatchString(fragment) {
		t.Errorf("the fragment is %s", fragment)
	}
	params := make(map[string]string)
	for pair := range strings.SplitSeq(fragment, "&") {
		name, value, _ := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(value)
		if err != nil {
			t.Fatal(err)
		}
		params[name] = decoded
	}
	s.expectStatus(params["access_token"], tokens.Valid)
	s.expectStatus(params["authentication_token"], tokens.Unknown)
	if params["state"] != "a state&=+" {
		t.Errorf("state is %q", params["state"])
	}
	if strings.Contains(fragment, "refresh_token") {
		t.Error("the implicit flow gave a refresh token")
	}
	s.set(oauthserver.Switches{ExpiresIn: oauthserver.ExpiresInAbsent})
	if target := s.visit(s.link("response_type", "token", "scope", "wl.messenger")); strings.Contains(target, "expires_in") {
		t.Error("expires_in is there although it is switched off")
	}
}

func TestOldAddressesAnswerToo(t *testing.T) {
	s := start(t)
	link := strings.Replace(s.link("redirect_uri", "http://oauth.live.com/desktop"), "/oauth20_authorize.srf", "/authorize", 1)
	if target := s.visit(link); !strings.HasPrefix(target, "http://oauth.live.com/desktop?code=") {
		t.Errorf("sent to %s", target)
	}
}

func TestErrorsThatAreSentBack(t *testing.T) {
	tests := []struct {
		name   string
		change []string
		want   string
	}{
		{"no response type", []string{"response_type", ""}, "invalid_request"},
		{"unknown response type", []string{"response_type", "id_token"}, "unsupported_response_type"},
		{"forbidden response type", []string{"client_id", tiedApp, "response_type", "token", "scope", "wl.messenger"}, "unauthorized_client"},
		{"no scope", []string{"scope", ""}, "invalid_scope"},
		{"unknown scope", []string{"scope", "wl.messenger,wl.everything"}, "invalid_scope"},
		{"offline access without a code", []string{"response_type", "token"}, "invalid_scope"},
		{"unknown challenge method", []string{"code_challenge", strings.Repeat("x", 43), "code_challenge_method", "S512"}, "invalid_request"},
		{"method without challenge", []string{"code_challenge_method", "S256"}, "invalid_request"},
		{"short challenge", []string{"code_challenge", "x"}, "invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			u, err := url.Parse(s.visit(s.link(tt.change...)))
			if err != nil {
				t.Fatal(err)
			}
			params := u.Query()
			if strings.Contains(strings.Join(tt.change, " "), "response_type token") {
				if params, err = url.ParseQuery(u.EscapedFragment()); err != nil {
					t.Fatal(err)
				}
			}
			if params.Get("error") != tt.want || params.Get("error_description") == "" || params.Get("state") != "a state&=+" {
				t.Errorf("sent back with %v, want %s", params, tt.want)
			}
		})
	}
	t.Run("a parameter twice", func(t *testing.T) {
		s := start(t)
		if target := s.visit(s.link() + "&scope=wl.emails"); !strings.Contains(target, "error=invalid_request") {
			t.Errorf("sent to %s", target)
		}
	})
	t.Run("forced", func(t *testing.T) {
		s := start(t)
		s.set(oauthserver.Switches{AuthorizeError: "server_error"})
		if target := s.visit(s.link()); !strings.Contains(target, "error=server_error") {
			t.Errorf("sent to %s", target)
		}
	})
}

func TestDenyingSendsAccessDenied(t *testing.T) {
	s := start(t)
	for flow, mark := range map[string]string{"code": "?", "token": "#"} {
		// No password is needed to say no.
		v := browsertest.Visitor{Deny: true}
		target, err := v.Visit(t.Context(), s.link("response_type", flow, "scope", "wl.messenger"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(target, s.desktop()+mark+"error=access_denied&error_description=") {
			t.Errorf("%s: sent to %s", flow, target)
		}
	}
}

func TestAWrongPasswordStaysOnThePage(t *testing.T) {
	s := start(t)
	v := browsertest.Visitor{Email: `"><b>@x`, Password: "wrong"}
	_, err := v.Visit(t.Context(), s.link())
	var page *browsertest.PageError
	if !errors.As(err, &page) || page.Status != http.StatusForbidden || !strings.Contains(page.Text, "not right") {
		t.Errorf("error is %v", err)
	}
}

func TestAFormFromAnotherSiteIsRefused(t *testing.T) {
	s := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.link(), strings.NewReader(url.Values{
		"email": {"john@contoso.com"}, "password": {"correct horse"}, "decision": {"allow"},
	}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := s.do(req); a.status != http.StatusForbidden {
		t.Errorf("status is %d", a.status)
	}
}

func TestUntrustedAddressesAreNeverSentTo(t *testing.T) {
	tests := []struct {
		name   string
		change []string
		word   string
	}{
		{"no client", []string{"client_id", ""}, "client_id is missing"},
		{"unknown client", []string{"client_id", "nobody"}, "No app"},
		{"no address", []string{"redirect_uri", ""}, "redirect_uri is missing"},
		{"foreign address", []string{"redirect_uri", "https://evil.example/"}, "not registered"},
		{"foreign desktop address", []string{"redirect_uri", "https://evil.example/oauth20_desktop.srf"}, "not registered"},
		{"address with a user", []string{"redirect_uri", "https://login.live.com@evil.example/oauth20_desktop.srf"}, "not registered"},
		{"script", []string{"redirect_uri", "javascript:alert(1)"}, "not registered"},
		{"another path of a whole address", []string{"client_id", webApp, "redirect_uri", webTarget + "/x"}, "not registered"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			v := browsertest.Visitor{Email: "john@contoso.com", Password: "correct horse"}
			_, err := v.Visit(t.Context(), s.link(tt.change...))
			var page *browsertest.PageError
			if !errors.As(err, &page) || page.Status != http.StatusBadRequest || !strings.Contains(page.Text, tt.word) {
				t.Errorf("error is %v", err)
			}
		})
	}
	s := start(t)
	if target := s.visit(s.link("client_id", webApp, "redirect_uri", "https://other.example/any?x=1")); !strings.HasPrefix(target, "https://other.example/any?x=1&code=") {
		t.Errorf("within the registered domain: sent to %s", target)
	}
}

func TestPagesAreSelfContainedAndProtected(t *testing.T) {
	s := start(t)
	for _, path := range []string{strings.TrimPrefix(s.link(), s.url), "/oauth20_desktop.srf?code=x", "/desktop", "/oauth20_logout.srf", "/authorize"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := s.do(req)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		} {
			if !strings.Contains(a.header.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, a.header.Get(name))
			}
		}
		if strings.Contains(a.body, "<script") || strings.Contains(a.body, "http://") || strings.Contains(a.body, "https://") || strings.Contains(a.body, "code=x") {
			t.Errorf("%s: the page holds a script, an outside address or the code:\n%s", path, a.body)
		}
	}
}

func TestLogoutSendsBackOnlyToRegisteredAddresses(t *testing.T) {
	s := start(t)
	for address, sent := range map[string]bool{webTarget: true, "https://evil.example/": false} {
		a := s.do(s.request(http.MethodGet, "/oauth20_logout.srf", url.Values{"client_id": {webApp}, "redirect_uri": {address}}))
		if got := a.header.Get("Location") == address; got != sent {
			t.Errorf("%s: status %d, Location %q", address, a.status, a.header.Get("Location"))
		}
	}
}

func TestTheProfile(t *testing.T) {
	s := start(t)
	me := func(token, bearer string) (int, map[string]any) {
		req := s.request(http.MethodGet, "/v5.0/me", url.Values{"access_token": {token}})
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		a := s.do(req)
		var body map[string]any
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			t.Fatal(err)
		}
		return a.status, body
	}
	plain := s.ask(s.codeParams(s.code()))
	if status, body := me(plain.Access, ""); status != 200 || body["id"] != "0123456789abcdef" || body["emails"] != nil {
		t.Errorf("without wl.emails: %d %v", status, body)
	}
	full := s.ask(s.codeParams(s.code("scope", "wl.messenger,wl.emails")))
	if full.Refresh != "" {
		t.Error("a refresh token without wl.offline_access")
	}
	if status, body := me("", full.Access); status != 200 || body["emails"].(map[string]any)["account"] != "john@contoso.com" {
		t.Errorf("with wl.emails: %d %v", status, body)
	}
	s.clock.Advance(2 * time.Hour)
	for token, code := range map[string]string{"": "request_token_missing", "x": "request_token_invalid", full.Access: "request_token_expired"} {
		status, body := me(token, "")
		if got := body["error"].(map[string]any)["code"]; status != 401 || got != code {
			t.Errorf("%d %v, want %s", status, got, code)
		}
	}
}

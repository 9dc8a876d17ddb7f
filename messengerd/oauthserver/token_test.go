package oauthserver_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/tokens"
)

func TestEveryErrorOfTheTokenAddress(t *testing.T) {
	change := func(v url.Values, pairs ...string) url.Values {
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	tests := []struct {
		name   string
		params func(s *service) url.Values
		want   string
	}{
		{"no grant type", func(s *service) url.Values { return change(s.codeParams("x"), "grant_type", "") }, "invalid_request"},
		{"no code", func(s *service) url.Values { return s.codeParams("") }, "invalid_request"},
		{"no redirect address", func(s *service) url.Values { return change(s.codeParams(s.code()), "redirect_uri", "") }, "invalid_request"},
		{"no refresh token", func(*service) url.Values { return refreshParams("") }, "invalid_request"},
		{"a parameter twice", func(*service) url.Values {
			v := refreshParams("x")
			v.Add("refresh_token", "y")
			return v
		}, "invalid_request"},
		{"no client", func(s *service) url.Values { return change(s.codeParams(s.code()), "client_id", "") }, "invalid_client"},
		{"unknown client", func(s *service) url.Values { return change(s.codeParams(s.code()), "client_id", "nobody") }, "invalid_client"},
		{"no secret", func(s *service) url.Values { return change(s.codeParams(s.code()), "client_id", webApp) }, "invalid_client"},
		{"wrong secret", func(s *service) url.Values {
			return change(s.codeParams(s.code()), "client_id", webApp, "client_secret", "x")
		}, "invalid_client"},
		{"secret of an app without one", func(s *service) url.Values { return change(s.codeParams(s.code()), "client_secret", "x") }, "invalid_client"},
		{"another client's code", func(s *service) url.Values {
			return change(s.codeParams(s.code()), "client_id", webApp, "client_secret", webSecret)
		}, "invalid_grant"},
		{"another redirect address", func(s *service) url.Values {
			return change(s.codeParams(s.code()), "redirect_uri", s.url+"/desktop")
		}, "invalid_grant"},
		{"unknown code", func(s *service) url.Values { return s.codeParams("x") }, "invalid_grant"},
		{"unknown refresh token", func(*service) url.Values { return refreshParams("x") }, "invalid_grant"},
		{"forged refresh token", func(*service) url.Values {
			return refreshParams("MR." + base64.RawURLEncoding.EncodeToString(make([]byte, 56)))
		}, "invalid_grant"},
		{"another client's refresh token", func(s *service) url.Values {
			return change(refreshParams(s.ask(s.codeParams(s.code())).Refresh), "client_id", webApp, "client_secret", webSecret)
		}, "invalid_grant"},
		{"forbidden grant type", func(*service) url.Values { return change(refreshParams("x"), "client_id", tiedApp) }, "unauthorized_client"},
		{"unknown grant type", func(*service) url.Values { return change(refreshParams("x"), "grant_type", "password") }, "unsupported_grant_type"},
		{"wider scope", func(s *service) url.Values {
			return change(refreshParams(s.ask(s.codeParams(s.code())).Refresh), "scope", "wl.messenger wl.emails")
		}, "invalid_scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			s.expectError(s.ask(tt.params(s)), 400, tt.want)
		})
	}
	t.Run("not a form", func(t *testing.T) {
		s := start(t)
		req := s.request(http.MethodPost, "/oauth20_token.srf", refreshParams("x"))
		req.Header.Set("Content-Type", "application/json")
		s.expectError(s.do(req), 400, "invalid_request")
	})
	t.Run("forced", func(t *testing.T) {
		s := start(t)
		s.set(oauthserver.Switches{TokenError: "temporarily_unavailable"})
		s.expectError(s.ask(refreshParams("x")), 400, "temporarily_unavailable")
	})
}

func TestARefusedScopeDoesNotUseUpTheRefreshToken(t *testing.T) {
	s := start(t)
	first := s.ask(s.codeParams(s.code()))
	params := refreshParams(first.Refresh)
	params.Set("scope", "wl.emails")
	s.expectError(s.ask(params), 400, "invalid_scope")
	params.Set("scope", "wl.messenger")
	if a := s.ask(params); a.status != 200 {
		t.Errorf("a narrower scope: %d %s", a.status, a.body)
	}
}

func TestAClientWithASecretUsesBodyOrBasic(t *testing.T) {
	s := start(t)
	params := func() url.Values {
		v := s.codeParams(s.code("client_id", webApp, "redirect_uri", webTarget))
		v.Set("redirect_uri", webTarget)
		v.Set("client_id", webApp)
		return v
	}
	basic := func(secret string, v url.Values) answer {
		req := s.request(http.MethodPost, "/oauth20_token.srf", v)
		req.SetBasicAuth(url.QueryEscape(webApp), url.QueryEscape(secret))
		return s.do(req)
	}
	withSecret := params()
	withSecret.Set("client_secret", webSecret)
	if a := s.ask(withSecret); a.status != 200 {
		t.Errorf("secret in the body: %d %s", a.status, a.body)
	}
	if a := basic(webSecret, params()); a.status != 200 {
		t.Errorf("secret by Basic: %d %s", a.status, a.body)
	}
	a := basic("wrong", params())
	s.expectError(a, 401, "invalid_client")
	if a.header.Get("WWW-Authenticate") == "" {
		t.Error("a 401 without WWW-Authenticate")
	}
	both := params()
	both.Set("client_secret", webSecret)
	s.expectError(basic(webSecret, both), 400, "invalid_request")
}

func TestPKCEIsCheckedWhenSent(t *testing.T) {
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	sum := sha256.Sum256([]byte(verifier))
	s256 := base64.RawURLEncoding.EncodeToString(sum[:])
	tests := []struct {
		name, challenge, method, verifier string
		ok                                bool
	}{
		{"S256", s256, "S256", verifier, true},
		{"plain", verifier, "plain", verifier, true},
		{"plain by default", verifier, "", verifier, true},
		{"wrong verifier", s256, "S256", strings.ToLower(verifier), false},
		{"no verifier", s256, "S256", "", false},
		{"the challenge as verifier", s256, "S256", s256, false},
		{"a verifier without challenge", "", "", verifier, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			params := s.codeParams(s.code("code_challenge", tt.challenge, "code_challenge_method", tt.method))
			params.Set("code_verifier", tt.verifier)
			a := s.ask(params)
			if tt.ok && a.status != 200 {
				t.Errorf("answer is %d %s", a.status, a.body)
			}
			if !tt.ok {
				s.expectError(a, 400, "invalid_grant")
			}
		})
	}
}

func TestRevocation(t *testing.T) {
	s := start(t)
	a := s.ask(s.codeParams(s.code()))
	b := s.ask(s.codeParams(s.code()))
	revoke := func(token, client string) answer {
		return s.do(s.request(http.MethodPost, "/oauth20_revoke.srf", url.Values{"token": {token}, "client_id": {client}}))
	}
	if got := revoke(a.Access, tiedApp); got.status != 200 {
		t.Errorf("another app's token: %d", got.status)
	}
	s.expectStatus(a.Access, tokens.Valid)
	revoke(a.Access, desktopApp)
	s.expectStatus(a.Access, tokens.Revoked)
	revoke(b.Refresh, desktopApp)
	s.expectStatus(b.Access, tokens.Revoked)
	s.expectError(s.ask(refreshParams(b.Refresh)), 400, "invalid_grant")
	if got := revoke("unknown", desktopApp); got.status != 200 {
		t.Errorf("an unknown token: %d, want 200", got.status)
	}
	s.expectError(revoke("", desktopApp), 400, "invalid_request")
	s.expectError(revoke(a.Access, "nobody"), 400, "invalid_client")

	c := s.ask(refreshParams(a.Refresh))
	s.server.RevokeAccount("john")
	s.expectStatus(c.Access, tokens.Revoked)
	s.expectError(s.ask(refreshParams(c.Refresh)), 400, "invalid_grant")
}

func TestGrantsAreBounded(t *testing.T) {
	store := tokens.New(tokens.Options{})
	server, err := oauthserver.New(oauthserver.Config{
		Clients: []oauthserver.Client{{ID: desktopApp}}, MaxGrants: 3,
	}, people{}, store)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(server)
	t.Cleanup(ts.Close)
	s := &service{T: t, url: ts.URL, server: server, tokens: store}
	var all []answer
	for range 4 {
		all = append(all, s.ask(s.codeParams(s.code())))
	}
	s.expectError(s.ask(refreshParams(all[0].Refresh)), 400, "invalid_grant")
	for _, a := range all[1:] {
		if got := s.ask(refreshParams(a.Refresh)); got.status != 200 {
			t.Errorf("a recent consent was forgotten: %s", got.body)
		}
	}
}

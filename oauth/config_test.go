package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"matrix-messenger/oauth"
)

func goodConfig() oauth.Config {
	return oauth.Config{
		ClientID: clientID, ClientSecret: secret,
		AuthorizeURL: "https://login.live.com/oauth20_authorize.srf",
		TokenURL:     "https://login.live.com/oauth20_token.srf",
		RedirectURL:  "https://login.live.com/oauth20_desktop.srf",
		Scopes:       []string{"wl.messenger", "wl.offline_access"},
	}
}

func TestConfigurationMistakesAreNamed(t *testing.T) {
	if err := goodConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		set  func(*oauth.Config)
		key  string // empty: fine
	}{
		{"no client ID", func(c *oauth.Config) { c.ClientID = "" }, "client_id"},
		{"client ID with a space", func(c *oauth.Config) { c.ClientID = " x" }, "client_id"},
		{"no secret", func(c *oauth.Config) { c.ClientSecret = "" }, ""},
		{"no authorize address", func(c *oauth.Config) { c.AuthorizeURL = "" }, "authorize_url"},
		{"relative authorize address", func(c *oauth.Config) { c.AuthorizeURL = "/authorize" }, "authorize_url"},
		{"unencrypted token address", func(c *oauth.Config) { c.TokenURL = "http://login.live.com/token" }, "token_url"},
		{"unencrypted on this machine", func(c *oauth.Config) { c.TokenURL = "http://127.0.0.1:8080/token" }, ""},
		{"unencrypted on this machine, IPv6", func(c *oauth.Config) { c.TokenURL = "http://[::1]:8080/token" }, ""},
		{"unencrypted on localhost", func(c *oauth.Config) { c.TokenURL = "http://localhost/token" }, ""},
		{"a name that only looks local", func(c *oauth.Config) { c.TokenURL = "http://localhost.example.org/token" }, "token_url"},
		{"an address that only looks local", func(c *oauth.Config) { c.TokenURL = "http://127.0.0.1.example.org/token" }, "token_url"},
		{"token address with a password", func(c *oauth.Config) { c.TokenURL = "https://a:b@login.live.com/" }, "token_url"},
		{"other scheme", func(c *oauth.Config) { c.TokenURL = "ftp://login.live.com/token" }, "token_url"},
		{"callback without public address", func(c *oauth.Config) { c.RedirectURL = "callback" }, "redirect_url"},
		{"no redirect address", func(c *oauth.Config) { c.RedirectURL = "" }, "redirect_url"},
		{"redirect address with fragment", func(c *oauth.Config) { c.RedirectURL += "#x" }, "redirect_url"},
		{"old desktop address", func(c *oauth.Config) { c.RedirectURL = "http://oauth.live.com/desktop" }, ""},
		{"no scopes", func(c *oauth.Config) { c.Scopes = nil }, "scopes"},
		{"two scopes in one", func(c *oauth.Config) { c.Scopes = []string{"wl.messenger wl.emails"} }, "scopes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := goodConfig()
			tt.set(&c)
			_, err := oauth.NewClient(c)
			var mistake *oauth.ConfigError
			if tt.key == "" {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.As(err, &mistake) || mistake.Key != tt.key || !strings.HasPrefix(err.Error(), tt.key+": ") {
				t.Errorf("error is %v, want one about %s", err, tt.key)
			}
		})
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	tok := oauth.Tokens{Access: "access-secret", Refresh: "refresh-secret", Expires: time.Unix(1333324800, 0), Scope: []string{"wl.messenger"}}
	client, err := oauth.NewClient(goodConfig())
	if err != nil {
		t.Fatal(err)
	}
	link, attempt := client.Begin(owner)
	state := link[strings.Index(link, "state=")+len("state="):]
	state, _, _ = strings.Cut(state, "&")
	var out strings.Builder
	zl, sl := zerolog.New(&out), slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{tok, &tok, []oauth.Tokens{tok}, oauth.Pasted{Code: "code-secret", Tokens: tok}, goodConfig(), attempt} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		sl.Info("x", "value", v)
	}
	zl.Info().Object("tokens", tok).Any("any", tok).Interface("pointer", &tok).Msg("")
	b, err := json.Marshal(map[string]any{"tokens": tok})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	for _, one := range []string{"access-secret", "refresh-secret", "code-secret", secret, state, fmt.Sprintf("%x", "access-secret")} {
		if strings.Contains(out.String(), one) {
			t.Errorf("%q was printed:\n%s", one, out.String())
		}
	}
	if !strings.Contains(out.String(), "2012-04-02") {
		t.Errorf("the expiry is missing, which logs need:\n%s", out.String())
	}
}

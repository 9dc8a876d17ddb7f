package messengerd_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"matrix-messenger/internal/testclock"
	"matrix-messenger/messengerd"
	"matrix-messenger/messengerd/oauthserver/browsertest"
)

const (
	clientID = "000000004C06CAFE"
	desktop  = "https://login.live.com/oauth20_desktop.srf"
)

// consent signs John in on the page and gives the code.
func consent(t *testing.T, s *messengerd.Server) string {
	t.Helper()
	link := s.OAuthURL() + "/oauth20_authorize.srf?" + url.Values{
		"client_id": {clientID}, "scope": {"wl.messenger wl.offline_access"}, "response_type": {"code"}, "redirect_uri": {desktop},
	}.Encode()
	address, err := browsertest.Visitor{Email: "john@contoso.com", Password: "secret"}.Visit(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("code") == "" {
		t.Fatalf("sent to %s: %v", address, err)
	}
	return u.Query().Get("code")
}

// token asks the token address.
func token(t *testing.T, s *messengerd.Server, form url.Values) (status int, answer map[string]any) {
	t.Helper()
	form.Set("client_id", clientID)
	form.Set("redirect_uri", desktop)
	resp, err := http.PostForm(s.OAuthURL()+"/oauth20_token.srf", form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(text, &answer) // not JSON is one of the switches
	return resp.StatusCode, answer
}

func withOAuth(change func(*messengerd.Switches)) *messengerd.Config {
	cfg := people()
	cfg.OAuth = messengerd.OAuthConfig{Listen: "127.0.0.1:0", ClientID: clientID}
	if change != nil {
		change(&cfg.Switches)
	}
	return cfg
}

func code(t *testing.T, s *messengerd.Server) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {consent(t, s)}}
}

func refresh(answer map[string]any) url.Values {
	text, _ := answer["refresh_token"].(string)
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}}
}

func TestATokenFromTheSignInPagesSignsInToMessenger(t *testing.T) {
	cl := testclock.New(time.Now())
	s := start(t, withOAuth(nil), messengerd.WithClock(cl.Now))
	status, answer := token(t, s, code(t, s))
	if status != 200 || answer["expires_in"] != 3600.0 {
		t.Fatalf("%d %v", status, answer)
	}
	signs := func(answer map[string]any) bool {
		value, _ := answer["access_token"].(string)
		return toSASL(t, s, s.Addr()).auth(value).XMLName.Local == "success"
	}
	if !signs(answer) {
		t.Error("the token is refused")
	}
	cl.Advance(time.Hour + time.Second)
	if signs(answer) {
		t.Error("the expired token is taken")
	}
	if _, answer = token(t, s, refresh(answer)); !signs(answer) {
		t.Errorf("the refreshed token is refused: %v", answer)
	}
	s.RevokeTokens(john)
	if signs(answer) {
		t.Error("the revoked token is taken")
	}
	if _, answer = token(t, s, refresh(answer)); answer["error"] != "invalid_grant" {
		t.Errorf("the revoked refresh token: %v", answer)
	}
}

func TestTheSwitchesReachTheSignInPages(t *testing.T) {
	s := start(t, withOAuth(nil))
	set := func(change func(*messengerd.Switches)) {
		if err := s.SetSwitches(change); err != nil {
			t.Fatal(err)
		}
	}
	for form, want := range map[string]any{"number": 3600.0, "string": "3600", "absent": nil} {
		set(func(sw *messengerd.Switches) { sw.ExpiresIn = form })
		if _, answer := token(t, s, code(t, s)); answer["expires_in"] != want {
			t.Errorf("expires_in %s: %v", form, answer["expires_in"])
		}
	}
	for form, want := range map[string]int{"works": 200, "status_429": 429, "status_500": 500, "get_only": 405, "post_only": 200, "not_json": 200} {
		set(func(sw *messengerd.Switches) { sw.TokenAddress = form })
		status, answer := token(t, s, code(t, s))
		if form == "get_only" && status >= 400 {
			continue
		}
		if status != want || (form == "not_json") != (answer == nil) && want == 200 {
			t.Errorf("%s: %d %v", form, status, answer)
		}
	}
	set(func(sw *messengerd.Switches) { sw.TokenAddress = "works" })
	for _, form := range []string{"replaced", "kept", "expired", "not_issued"} {
		set(func(sw *messengerd.Switches) { sw.RefreshToken = form })
		_, first := token(t, s, code(t, s))
		if (first["refresh_token"] == nil) != (form == "not_issued") {
			t.Errorf("%s: %v", form, first)
		}
		_, second := token(t, s, refresh(first))
		switch form {
		case "replaced":
			if second["refresh_token"] == nil || second["refresh_token"] == first["refresh_token"] {
				t.Errorf("%s: %v", form, second)
			}
		case "kept":
			if r := second["refresh_token"]; second["access_token"] == nil || (r != nil && r != first["refresh_token"]) {
				t.Errorf("%s: %v", form, second)
			}
		case "expired":
			if second["error"] != "invalid_grant" {
				t.Errorf("%s: %v", form, second)
			}
		}
	}
}

func TestIssuedTokensHaveTheShapeAndLifeOfTheSwitches(t *testing.T) {
	for shape, ok := range map[string]func(string) bool{
		"canonical":  func(v string) bool { return len(v) == 728 && v[:3] == "EwA" },
		"short":      func(v string) bool { return len(v) < 50 },
		"long":       func(v string) bool { return len(v) > 4000 },
		"not_base64": func(v string) bool { _, err := base64.StdEncoding.DecodeString(v); return err != nil },
	} {
		cl := testclock.New(time.Now())
		cfg := people()
		cfg.Switches.IssuedTokens, cfg.Switches.TokenLife.Life = shape, time.Minute
		s := start(t, cfg, messengerd.WithClock(cl.Now))
		value := s.IssueToken(john)
		if !ok(value) {
			t.Errorf("%s: %s", shape, value)
		}
		if n := toSASL(t, s, s.Addr()).auth(value); n.XMLName.Local != "success" {
			t.Errorf("%s: refused", shape)
		}
		cl.Advance(61 * time.Second)
		if n := toSASL(t, s, s.Addr()).auth(value); n.XMLName.Local != "failure" {
			t.Errorf("%s: taken after its life", shape)
		}
	}
}

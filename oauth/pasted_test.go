package oauth_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/tokens"
	"matrix-messenger/oauth"
)

// begin starts a sign-in without a service and gives its state.
func begin(t testing.TB, options ...oauth.Option) (*oauth.Client, *oauth.Attempt, string) {
	t.Helper()
	c, err := oauth.NewClient(goodConfig(), options...)
	if err != nil {
		t.Fatal(err)
	}
	link, a := c.Begin(owner)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return c, a, u.Query().Get("state")
}

const desktop = "https://login.live.com/oauth20_desktop.srf"

func TestEveryWayToPasteACodeIsUnderstood(t *testing.T) {
	const code = "M.R3_BAY.4d1f-b2+/="
	const escaped = "M.R3_BAY.4d1f-b2%2b%2f%3d"
	for name, pasted := range map[string]string{
		"whole address":          desktop + "?code=" + escaped + "&lc=1033&state=STATE",
		"escapes in upper case":  desktop + "?code=M.R3_BAY.4d1f-b2%2B%2F%3D&lc=1033&state=STATE",
		"nothing escaped":        desktop + "?code=" + code + "&lc=1033&state=STATE",
		"without state":          desktop + "?code=" + escaped + "&lc=1033",
		"other order":            desktop + "?state=STATE&lc=1033&code=" + escaped,
		"another redirect":       "http://localhost:1/x?code=" + escaped,
		"with a fragment":        desktop + "?code=" + escaped + "&state=STATE#_=_",
		"the query":              "?code=" + escaped + "&lc=1033&state=STATE",
		"the query without mark": "code=" + escaped + "&lc=1033&state=STATE",
		"only the parameter":     "code=" + escaped,
		"the bare code":          code,
		"the bare code, escaped": escaped,
		"white space around":     "  \n" + desktop + "?code=" + escaped + "\r\n\t ",
		"broken over lines":      desktop + "?code=M.R3_BAY.\n4d1f-b2%2b%2f%3d&lc=1033",
		"in angle brackets":      "<" + desktop + "?code=" + escaped + ">",
		"in quotes":              `"` + desktop + "?code=" + escaped + `"`,
		"in back quotes":         "`" + code + "`",
		"from HTML":              desktop + "?code=" + escaped + "&amp;lc=1033&amp;state=STATE",
		"damaged elsewhere":      desktop + "?lc=%zz&code=" + escaped,
	} {
		t.Run(name, func(t *testing.T) {
			c, a, state := begin(t)
			got, err := c.ParsePasted(a, strings.ReplaceAll(pasted, "STATE", state))
			if err != nil || got.Code != code || got.Tokens.Access != "" {
				t.Errorf("got %q, %v", got.Code, err)
			}
		})
	}
}

func TestAnImplicitFlowsAddressGivesItsToken(t *testing.T) {
	now := newClock()
	for name, fragment := range map[string]string{
		"as documented":    "access_token=EwA%2b%2fw%3d%3d&token_type=bearer&expires_in=3600&scope=wl.messenger",
		"upper case":       "access_token=EwA%2B%2Fw%3D%3D&token_type=Bearer&expires_in=3600&scope=wl.messenger",
		"nothing escaped":  "access_token=EwA+/w==&token_type=bearer&expires_in=3600&scope=wl.messenger",
		"with a JWT":       "access_token=EwA%2b%2fw%3d%3d&authentication_token=eyJ.x.y&expires_in=3600&scope=wl.messenger&state=STATE",
		"without the life": "access_token=EwA%2b%2fw%3d%3d&scope=wl.messenger",
	} {
		for _, before := range []string{desktop + "#", "#", ""} {
			t.Run(name+" after "+before, func(t *testing.T) {
				c, a, state := begin(t, oauth.WithClock(now.Now))
				got, err := c.ParsePasted(a, before+strings.ReplaceAll(fragment, "STATE", state))
				if err != nil {
					t.Fatal(err)
				}
				if got.Code != "" || got.Tokens.Access != "EwA+/w==" || got.Tokens.Refresh != "" ||
					got.Tokens.Expires.Sub(now.Now()) != time.Hour || !slices.Equal(got.Tokens.Scope, []string{"wl.messenger"}) {
					t.Errorf("got %q, %v", got.Tokens.Access, got)
				}
				if _, err := c.ParsePasted(a, before+fragment); oauth.ClassOf(err) != oauth.StartAgain {
					t.Errorf("the second time: %v", err)
				}
			})
		}
	}
}

func TestWhatCannotBeUsedIsRefusedWithWords(t *testing.T) {
	tests := []struct {
		name, pasted string
		class        oauth.Class
	}{
		{"nothing", "", oauth.BadInput},
		{"white space", " \n ", oauth.BadInput},
		{"words", "it says I can copy this", oauth.BadInput},
		{"two addresses", desktop + "?code=a " + desktop + "?code=b", oauth.BadInput},
		{"two codes", desktop + "?code=a&code=b", oauth.BadInput},
		{"address without code", desktop, oauth.BadInput},
		{"the sign-in page's address", "https://login.live.com/oauth20_authorize.srf?client_id=x&response_type=code", oauth.BadInput},
		{"only the state", "?state=STATE", oauth.BadInput},
		{"empty code", desktop + "?code=&lc=1033", oauth.BadInput},
		{"a cut escape", desktop + "?code=abc%2", oauth.BadInput},
		{"control characters", desktop + "?code=abc%00", oauth.BadInput},
		{"not ASCII", "cöde", oauth.BadInput},
		{"far too long", strings.Repeat("x", 40<<10), oauth.BadInput},
		{"very far too long", strings.Repeat("x", 1<<20), oauth.BadInput},
		{"another sign-in's state", desktop + "?code=abc&state=other", oauth.StartAgain},
		{"an empty state", desktop + "?code=abc&state=", oauth.StartAgain},
		{"another sign-in's token", desktop + "#access_token=abc&state=other", oauth.StartAgain},
		{"unknown token type", desktop + "#access_token=abc&token_type=mac", oauth.Admin},
		{"denied", desktop + "?error=access_denied&error_description=The+user+has+denied&state=STATE", oauth.Refused},
		{"denied, implicit", desktop + "#error=access_denied&error_description=x", oauth.Refused},
		{"error and code", desktop + "?code=abc&error=access_denied", oauth.Refused},
		{"out of order", desktop + "?error=temporarily_unavailable", oauth.Transient},
		{"wrong scope", desktop + "?error=invalid_scope", oauth.Admin},
		{"strange error", desktop + "?error=%3cb%3e", oauth.Admin},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, a, state := begin(t)
			_, err := c.ParsePasted(a, strings.ReplaceAll(tt.pasted, "STATE", state))
			if oauth.ClassOf(err) != tt.class {
				t.Fatalf("error is %v, want class %v", err, tt.class)
			}
			human := err.(*oauth.Error).HumanError()
			if strings.ContainsAny(human+err.Error(), "<%") || strings.Contains(err.Error(), state) {
				t.Errorf("texts are %q and %q", human, err)
			}
			if got, err := c.ParsePasted(a, "good"); err != nil || got.Code != "good" {
				t.Errorf("afterwards the right one is not accepted: %v", err)
			}
		})
	}
}

func TestTheRealImplicitAddressIsUnderstood(t *testing.T) {
	for _, shape := range []tokens.Shape{tokens.Canonical, tokens.NotBase64, tokens.Short, tokens.Long} {
		t.Run(shape.String(), func(t *testing.T) {
			s := newScene(t, pasteWay, func(c *oauth.Config) { c.Scopes = []string{"wl.messenger"} })
			s.tokens.SetShape(shape)
			s.set(oauthserver.Switches{TokenLife: time.Minute})
			link, a := s.client.Begin(owner)
			link = strings.Replace(link, "response_type=code", "response_type=token", 1)
			got, err := s.client.ParsePasted(a, s.userOpens(link, false))
			if err != nil {
				t.Fatal(err)
			}
			s.say(got)
			s.expectToken(got.Tokens.Access, tokens.Valid)
			if !got.Tokens.Expires.Equal(s.clock.Now().Add(time.Minute)) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestDenyingAndPastingSaysSo(t *testing.T) {
	s := newScene(t, pasteWay)
	link, a := s.client.Begin(owner)
	_, err := s.client.ParsePasted(a, s.userOpens(link, true))
	s.expectClass(err, oauth.Refused)
}

func FuzzParsePasted(f *testing.F) {
	for _, seed := range []string{
		desktop + "?code=M.R3&lc=1033&state=STATE", "#access_token=EwA%2b%2fw%3d%3d&expires_in=3600", "code=%", "?", "#", "&", "=",
		"bare", "error=access_denied&error_description=+%2b", "<https://x/?code=a>", "a://?#", "%41", "access_token=a&expires_in=-1e400",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pasted string) {
		c, a, state := begin(t)
		got, err := c.ParsePasted(a, strings.ReplaceAll(pasted, "STATE", state))
		if err != nil {
			if oauth.ClassOf(err) == 0 || err.(*oauth.Error).HumanError() == "" {
				t.Errorf("an error without class or words: %#v", err)
			}
			if strings.Contains(err.Error(), state) {
				t.Error("the error holds the state")
			}
			return
		}
		if (got.Code == "") == (got.Tokens.Access == "") {
			t.Errorf("neither or both of code and token: %q %q", got.Code, got.Tokens.Access)
		}
		for _, r := range got.Code + got.Tokens.Access {
			if r < ' ' || r > '~' {
				t.Errorf("an unsendable character %q came through", r)
			}
		}
		if got.Tokens.Access != "" && !got.Tokens.Expires.After(time.Now()) {
			t.Errorf("a token that expired at %v", got.Tokens.Expires)
		}
	})
}

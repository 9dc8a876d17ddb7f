package oauth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/oauth"
)

// screenshot keeps a picture of the page for the documentation when
// WRITE_SCREENSHOTS=1, and checks that the page's style was let through by its
// own policy and that nothing sticks out of the window.
func (b *chromium) screenshot(name string) {
	b.Helper()
	if got := b.js(`getComputedStyle(document.querySelector('main')).borderRadius`); got == "0px" {
		b.Errorf("%s: the style sheet was not applied", name)
	}
	if b.js(`String(document.documentElement.scrollWidth <= window.innerWidth)`) != "true" {
		b.Errorf("%s: the page is wider than the window", name)
	}
	b.problems()
	png := b.picture()
	if os.Getenv("WRITE_SCREENSHOTS") != "1" {
		return
	}
	folder := filepath.Join("..", "docs", "images")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "oauth-"+name+".png"), png, 0o644); err != nil {
		b.Fatal(err)
	}
}

func (b *chromium) expectText(words ...string) {
	b.Helper()
	text := b.js(`document.body.innerText`)
	for _, word := range words {
		if !strings.Contains(text, word) {
			b.Errorf("the browser does not show %q but:\n%s", word, text)
		}
	}
}

func TestARealBrowserSignsIn(t *testing.T) {
	b := startChromium(t)
	s := newScene(t)
	b.screen(760, 600, 1, "light")
	link, a := s.client.Begin(owner)
	result := s.login(a, "John (john@contoso.com)", nil)

	b.open(link)
	b.expectText("Matrix bridge would like to:", "Sign you in to Messenger", "Stay signed in")
	b.screenshot("authorize")
	b.types("E-mail address", john)
	b.types("Password", "wrong")
	b.presses("Allow")
	b.expectText("not right")
	b.types("Password", password)
	b.presses("Allow")

	b.expectText("You are signed in", "John (john@contoso.com)", owner, "go back to your Matrix app")
	b.screenshot("success")
	b.screen(390, 720, 2, "dark")
	b.screenshot("success-phone")
	if err := s.await(result); err != nil {
		t.Error(err)
	}
	if referrer := b.js(`document.referrer`); referrer != "" {
		t.Errorf("the referrer is %q", referrer)
	}
	b.screen(760, 600, 1, "light")
	b.open(b.js(`location.href`))
	b.expectText("used already")
}

func TestARealBrowserSeesWhatWentWrong(t *testing.T) {
	b := startChromium(t)
	s := newScene(t)
	b.screen(760, 420, 1, "light")

	link, a := s.client.Begin(owner)
	result := s.login(a, "", nil)
	b.open(link)
	b.presses("Deny")
	b.expectText("Access was not allowed", "start the login again")
	b.screenshot("refused")
	s.expectClass(s.await(result), oauth.Refused)

	b.open(s.cfg.RedirectURL + "?code=abc&state=foreign")
	b.expectText("has expired", "open the new link")
	b.screenshot("expired")

	for code, words := range map[string]string{"invalid_client": "tell the administrator", "invalid_grant": "was not accepted"} {
		s.set(oauthserver.Switches{TokenError: code})
		link, a = s.client.Begin(owner)
		result = s.login(a, "", nil)
		b.open(link)
		b.types("E-mail address", john)
		b.types("Password", password)
		b.presses("Allow")
		b.expectText(words)
		if code == "invalid_client" {
			b.screenshot("error")
		} else {
			b.screenshot("not-accepted")
		}
		if s.await(result) == nil {
			t.Errorf("%s: the login went on", code)
		}
	}
}

func TestARealBrowserShowsTheAddressToCopy(t *testing.T) {
	b := startChromium(t)
	s := newScene(t, pasteWay)
	b.screen(390, 720, 2, "dark")
	link, a := s.client.Begin(owner)
	b.open(link)
	b.screenshot("authorize-phone")
	b.types("E-mail address", john)
	b.types("Password", password)
	b.presses("Allow")
	b.expectText("copy the whole address of this page")
	b.screenshot("copy-phone")
	pasted, err := s.client.ParsePasted(a, b.js(`location.href`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Exchange(s.ctx(), a, pasted.Code); err != nil {
		t.Error(err)
	}
	// The implicit flow's fragment comes through a browser as it should, too.
	link, a = s.client.Begin(owner)
	link = strings.NewReplacer("response_type=code", "response_type=token", "%20wl.offline_access", "").Replace(link)
	b.open(link)
	b.types("E-mail address", john)
	b.types("Password", password)
	b.presses("Allow")
	if pasted, err = s.client.ParsePasted(a, b.js(`location.href`)); err != nil || pasted.Tokens.Access == "" {
		t.Errorf("got %v, %v", pasted, err)
	}
}

package messenger

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/xmltext"
)

func TestTheDefaultNamesAreForMicrosoftsDomainOnly(t *testing.T) {
	for _, c := range []struct {
		domain string
		names  []string
		want   int
	}{
		{"", nil, 2},
		{"Messenger.Live.com", nil, 2},
		{"messenger.live.com", []string{}, 0},
		{"messenger.live.com", []string{"a.example"}, 1},
		{"chat.example", nil, 0},
		{"chat.example", []string{"*.gw.chat.example"}, 1},
	} {
		p, err := NewProfile(Options{Domain: c.domain, CertNames: c.names})
		if err != nil || len(p.CertNames) != c.want {
			t.Errorf("%q, %q: %q, %v", c.domain, c.names, p.CertNames, err)
		}
	}
}

func TestWhereTheServiceIsReached(t *testing.T) {
	p, err := NewProfile(Options{})
	if err != nil || p.Domain != "messenger.live.com" || p.FallbackHost != "xmpp.messenger.live.com:5222" || p.Address != "" {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = NewProfile(Options{Domain: "chat.example", Address: "127.0.0.1:5300"})
	if err != nil || p.FallbackHost != "" || p.Address != "127.0.0.1:5300" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	for _, o := range []Options{
		{CertNames: []string{"*"}},
		{CertNames: []string{"*.*.example"}},
		{CertNames: []string{"com"}},
		{CertNames: []string{"https://x.example"}},
		{CAs: []byte("nothing")},
	} {
		if _, err := NewProfile(o); err == nil || !strings.HasPrefix(err.Error(), "network.tls.") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestTheTokenIsSentAsItIsAndNeverPrinted(t *testing.T) {
	const secret = "EwA+/w=="
	auth := OAuth2(secret)
	if m, text, ok := auth.Start([]string{"PLAIN", Mechanism}, tls.ConnectionState{}); !ok || m != Mechanism || text != secret {
		t.Errorf("%q, %q, %v", m, text, ok)
	}
	if _, _, ok := auth.Start([]string{"PLAIN"}, tls.ConnectionState{}); ok {
		t.Error("signs in with PLAIN")
	}
	if _, err := auth.Next("x"); err == nil {
		t.Error("answers a challenge")
	}
	if s := fmt.Sprintf("%v %s %+v %#v", auth, auth, auth, auth); strings.Contains(s, "EwA") {
		t.Errorf("printed %s", s)
	}
}

func TestSplitting(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"short", "hello\nworld", []string{"hello\nworld"}},
		{"nothing", "", nil},
		{"only space", strings.Repeat(" \n", 40), nil},
		{"at a line end", x(30) + "\n" + x(10) + " " + x(20), []string{x(30), x(10) + " " + x(20)}},
		{"at a Windows line end", x(30) + "\r\n" + x(30), []string{x(30), x(30)}},
		{"at a word end", x(30) + " " + x(30), []string{x(30), x(30)}},
		{"exactly at the limit", x(40) + " " + x(40), []string{x(40), x(40)}},
		{"a line end far back gives way to a word end", "x\n" + x(25) + " " + x(30), []string{"x\n" + x(25), x(30)}},
		{"between characters", x(90), []string{x(40), x(40), x(10)}},
		{"escaping counts", strings.Repeat("<", 15), []string{strings.Repeat("<", 10), strings.Repeat("<", 5)}},
		{"what XML cannot hold is left out", "a\x00b\x1bc", []string{"abc"}},
		{"not in an accent", x(39) + "e\u0301" + x(5), []string{x(39), "e\u0301" + x(5)}},
		{"not in a family", x(30) + "👨‍👩‍👧‍👦" + x(5), []string{x(30), "👨‍👩‍👧‍👦" + x(5)}},
		{"not in a flag", x(35) + "🇩🇪🇫🇷", []string{x(35), "🇩🇪🇫🇷"}},
		{"not in a link", "好好好好好https://example.org/a/path/that/is", []string{"好好好好好", "https://example.org/a/path/that/is"}},
		{"a link that is too long for any message", "https://" + x(60), []string{"https://" + x(32), x(28)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Split(c.text, 40); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("hello world https://example.org/x 👨‍👩‍👧‍👦\r\n<&>", 20)
	f.Add(strings.Repeat("e\u0301", 50), 16)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 16 + (limit&0xff+256)%256
		letters := func(s string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsSpace(r) {
					return -1
				}
				return r
			}, s)
		}
		parts := Split(text, limit)
		for _, part := range parts {
			if n := len(xmltext.AppendText(nil, part)); n > limit || n == 0 || !utf8.ValidString(part) {
				t.Errorf("part of %d bytes: %q", n, part)
			}
		}
		if got, want := letters(strings.Join(parts, "")), letters(xmltext.Clean(text)); got != want {
			t.Errorf("%q became %q", want, got)
		}
		// No character is cut in two that would have fitted.
		at := map[int]bool{}
		clean, pos := xmltext.Clean(text), 0
		for _, part := range parts {
			i := strings.Index(clean[pos:], part)
			if i < 0 {
				return // a part of white space was left out; the letters were compared above
			}
			pos += i + len(part)
			at[pos] = true
		}
		pos = 0
		for g := uniseg.NewGraphemes(clean); g.Next(); {
			cluster := g.Str()
			for i := pos + 1; i < pos+len(cluster); i++ {
				if at[i] && i < len(clean) && len(xmltext.AppendText(nil, cluster)) <= limit && !strings.ContainsFunc(cluster, unicode.IsSpace) {
					t.Errorf("cut %q in two", cluster)
				}
			}
			pos += len(cluster)
		}
	})
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"12345@messenger.live.com":       "jid 12345@messenger.live.com",
		" 12345@Messenger.Live.COM/Home": "jid 12345@messenger.live.com",
		"xmpp:1@messenger.live.com?chat": "jid 1@messenger.live.com",
		"Mary@Contoso.com":               "mail mary@contoso.com",
		"<mailto:Mary@Contoso.com>":      "mail mary@contoso.com",
		"a/b@contoso.com":                "mail a/b@contoso.com",
		"a@b@contoso.com":                "mail a@b@contoso.com",
		"xmpp:mary@contoso.com":          "none",
		"mary":                           "none",
		"@messenger.live.com":            "none",
		"mary@":                          "none",
		"mary smith@contoso.com":         "none",
		"a&b@messenger.live.com":         "bad",
		"":                               "none",
	} {
		got, err := ParseAddress(Domain, in)
		text := "jid " + strings.ToLower(got.JID.String())
		switch {
		case errors.Is(err, ErrNoAddress):
			text = "none"
		case errors.Is(err, ErrBadJID):
			text = "bad"
		case got.Email != "":
			text = "mail " + got.Email
		}
		if text != want {
			t.Errorf("%q is %q (%v), want %q", in, text, err, want)
		}
	}
	if Key(jid.MustParse("Ab1@messenger.live.com/X")) != "ab1@messenger.live.com" {
		t.Error("keys keep their case")
	}
}

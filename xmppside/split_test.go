package xmppside

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"matrix-messenger/xmppside/session"
	"matrix-messenger/xmppside/xmltext"
)

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
			if got := split(c.text, 40); !slices.Equal(got, c.want) {
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
		parts := split(text, limit)
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

func TestALongTextFitsIntoTheStanzasThatTheServiceTakes(t *testing.T) {
	short, long := Profile{MaxStanza: 12000}, Profile{MaxStanza: 20000}
	text := strings.Repeat("<", 6000) // 24000 bytes in XML
	if got := len(short.Split(text)); got != 3 {
		t.Errorf("%d parts with short stanzas", got)
	}
	if got := len(long.Split(text)); got != 2 {
		t.Errorf("%d parts with long stanzas", got)
	}
	p := Profile{Domain: "chat.example", MaxStanza: minStanza - 1, Authenticate: func(string) session.Authenticator { return nil }}
	if _, err := NewService(p, ServiceOptions{}); err == nil {
		t.Error("a service is taken that leaves no room for a text")
	}
}

package chatstate

import (
	"encoding/xml"
	"testing"
)

type message struct {
	XMLName xml.Name `xml:"message"`
	To      string   `xml:"to,attr"`
	Body    string   `xml:"body"`
	Elements
}

func TestAStateIsReadFromAMessage(t *testing.T) {
	const ns = ` xmlns="http://jabber.org/protocol/chatstates"/>`
	for _, c := range []struct {
		name, in string
		want     State
		typing   bool
	}{
		{"typing", "<composing" + ns, Composing, true},
		{"paused", "<paused" + ns, Paused, false},
		{"active beside a body", "<active" + ns + "<body>hi</body>", Active, false},
		{"inactive", "<inactive" + ns, Inactive, false},
		{"gone", "<gone" + ns, Gone, false},
		{"two at once", "<active" + ns + "<composing" + ns, Composing, true},
		{"with a prefix", `<c:composing xmlns:c="http://jabber.org/protocol/chatstates"/>`, Composing, true},
		{"another namespace", "<composing/>", None, false},
		{"an unknown state", "<sleeping" + ns, None, false},
		{"none", "<body>hi</body>", None, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m message
			if err := xml.Unmarshal([]byte("<message>"+c.in+"</message>"), &m); err != nil {
				t.Fatal(err)
			}
			if got := m.State(); got != c.want || got.Typing() != c.typing {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestEveryStateCanBeSent(t *testing.T) {
	for _, s := range []State{Active, Composing, Paused, Inactive, Gone} {
		var m message
		stanza := AppendMessage(nil, `o'ann&"@example.org/R`, s)
		if err := xml.Unmarshal(stanza, &m); err != nil {
			t.Fatalf("%s: %v", stanza, err)
		}
		if m.State() != s || m.To != `o'ann&"@example.org/R` || m.Body != "" {
			t.Errorf("%s was read as %+v", stanza, m)
		}
	}
	for _, s := range []State{None, "x/><body>"} {
		if got := AppendMessage(nil, "a@b", s); len(got) != 0 {
			t.Errorf("%q was written: %s", s, got)
		}
	}
}

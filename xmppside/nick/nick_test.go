package nick

import (
	"encoding/xml"
	"strings"
	"testing"
)

type presence struct {
	Nick *Nick `xml:"http://jabber.org/protocol/nick nick"`
}

func TestTheNameOfSomeoneWhoAsks(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", `<nick xmlns="http://jabber.org/protocol/nick">Mary Contoso</nick>`, "Mary Contoso"},
		{"none", ``, ""},
		{"empty", `<nick xmlns="http://jabber.org/protocol/nick"/>`, ""},
		{"another namespace", `<nick>Mary</nick>`, ""},
		{"over several lines", "<nick xmlns='http://jabber.org/protocol/nick'>\n Mary\n Contoso </nick>", "Mary Contoso"},
		{"very long", `<nick xmlns="http://jabber.org/protocol/nick">` + strings.Repeat("é", 1000) + `</nick>`, strings.Repeat("é", 128)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p presence
			if err := xml.Unmarshal([]byte("<presence>"+c.in+"</presence>"), &p); err != nil {
				t.Fatal(err)
			}
			if got := p.Nick.Name(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestOwnNameIsWrittenEscaped(t *testing.T) {
	if got := string(Append(nil, "John <&> Contoso\x00")); got != `<nick xmlns="http://jabber.org/protocol/nick">John &lt;&amp;&gt; Contoso</nick>` {
		t.Error(got)
	}
	if got := Append(nil, " \n"); len(got) != 0 {
		t.Errorf("an empty name was written: %s", got)
	}
}

func FuzzNick(f *testing.F) {
	f.Add("Mary \u202e Contoso")
	f.Fuzz(func(t *testing.T, s string) {
		stanza := append(Append([]byte("<presence>"), s), "</presence>"...)
		var p presence
		if err := xml.Unmarshal(stanza, &p); err != nil {
			t.Fatalf("%s: %v", stanza, err)
		}
		if again := p.Nick.Name(); len(again) > MaxName {
			t.Errorf("%d bytes of name", len(again))
		}
	})
}

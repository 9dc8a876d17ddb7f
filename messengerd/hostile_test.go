package messengerd_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd"
)

func TestHostileInputEndsOnlyItsOwnStream(t *testing.T) {
	s := start(t, people())
	witness := online(t, s, mary, "witness")
	deep := strings.Repeat("<a>", 5000)
	for _, test := range []struct{ name, send, want string }{
		{"a document type", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "restricted-xml"},
		{"an entity", "<message>&a;</message>", "not-well-formed"},
		{"a comment", "<!-- x -->", "restricted-xml"},
		{"a comment inside", "<message><!-- x --></message>", "restricted-xml"},
		{"a processing instruction", "<?php x ?>", "restricted-xml"},
		{"deep nesting", "<message>" + deep, "policy-violation"},
		{"a huge attribute", "<message to='" + strings.Repeat("x", 1<<20), "policy-violation"},
		{"text between stanzas", "hello", "bad-format"},
		{"a wrong end tag", "<message></presence>", "not-well-formed"},
		{"invalid UTF-8", "<message>\xff\xfe</message>", "not-well-formed"},
		{"a forbidden character", "<message>\x01</message>", "not-well-formed"},
		{"a forbidden reference", "<message>&#1;</message>", "not-well-formed"},
		{"another namespace", "<message xmlns='jabber:server'/>", "unsupported-stanza-type"},
		{"another element", "<massage/>", "unsupported-stanza-type"},
		{"somebody else's from", "<message from='" + mary + "' to='" + mary + "' type='chat'><body>x</body></message>", "invalid-from"},
		{"a second stream header", clientHeader, "restricted-xml"},
		{"a stray end tag", "</stream:stream></x>", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := online(t, s, john, "r")
			go func() { _, _ = c.conn.Write([]byte(test.send)) }() // the server may stop reading in the middle
			if got := c.ended(); got != test.want {
				t.Errorf("ended with %q, want %q", got, test.want)
			}
		})
	}
	witness.sync()
}

func TestStrangeButHarmlessStanzasAreSurvived(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	for _, text := range []string{
		"<iq/>", "<iq type='get' id='1'/>", "<iq type='x' id='1'><a/></iq>", "<iq type='result' id='1'/>", "<iq type='error' id='1'/>",
		"<iq type='get'><query xmlns='jabber:iq:roster'/></iq>", "<iq type='set' id='1'><a xmlns='u'/><b xmlns='u'/></iq>",
		"<message/>", "<message type='chat'/>", "<message type='error'/>", "<message to='@' type='chat'><body/></message>",
		"<presence type='dance'/>", "<presence type='subscribe'/>", "<presence type='subscribe' to=''/>", "<presence type='subscribed' to='x'/>",
		"<presence to='" + mary + "'/>", "<presence><priority>many</priority><show>dance</show></presence>", "<presence type='error'/>",
		"<presence type='subscribe' to='" + john + "'/>", "<iq type='set' id='1'><query xmlns='jabber:iq:roster'/></iq>",
		"<iq type='get' id='1' to='" + mary + "/x'><query xmlns='jabber:iq:version'/></iq>", "<iq type='get' id='1' to='other.example'><a xmlns='u'/></iq>",
		"<iq type='get' id='1' to='a@b@c'><a xmlns='u'/></iq>", "<x:iq xmlns:x='jabber:client' type='get' id='1'><a xmlns='u' x:y='z'/></x:iq>",
		"<iq type='get' id='1'><retrieve xmlns='urn:xmpp:archive' with='' start=''/></iq>",
		"<iq type='get' id='1'><retrieve xmlns='urn:xmpp:archive' with='x' start='y'><set xmlns='http://jabber.org/protocol/rsm'><max>-1</max></set></retrieve></iq>",
	} {
		c.send(text)
		c.sync()
	}
	c.sync()
}

func TestStanzasMayComeInAnyPieces(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	const stanza = "<message type='chat' to='" + mary + "'><body>slowly &amp; ü</body></message>"
	for i := range len(stanza) {
		c.send(stanza[i : i+1])
	}
	c.sync()
	if n := count2(s.Account(mary).Received(), "slowly & ü"); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestAClientThatDoesNotReadLosesItsStreamOnly(t *testing.T) {
	s := start(t, people())
	_ = online(t, s, john, "deaf")
	other := online(t, s, mary, "hers")
	body := strings.Repeat("x", 500_000)
	for i := 0; len(s.Account(john).Sessions()) > 0; i++ {
		if i > 200 {
			t.Fatal("100 MB queued for a client that does not read")
		}
		if err := s.Account(mary).SendMessage(john, body); err != nil {
			t.Fatal(err)
		}
	}
	other.sync()
}

func TestAConnectionThatDoesNotSignInIsClosed(t *testing.T) {
	s := start(t, people(), messengerd.WithNegotiationTimeout(50*time.Millisecond))
	c := dial(t, s, s.Addr())
	c.readHeader()
	if got := c.ended(); got != "connection-timeout" {
		t.Errorf("ended with %q", got)
	}
}

func TestRandomBytesBreakNothing(t *testing.T) {
	s := start(t, people())
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 50 {
		c := dial(t, s, s.Addr())
		b := make([]byte, 1+random.IntN(2000))
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		if i%2 == 0 {
			c.open()
		}
		_, _ = c.conn.Write(b)
		_ = c.conn.Close()
	}
	online(t, s, john, "after").sync()
}

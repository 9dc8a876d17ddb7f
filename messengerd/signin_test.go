package messengerd_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd"
)

func TestAFullLoginGoesAsTheProtocolSays(t *testing.T) {
	s := start(t, people())
	c := dial(t, s, s.Addr())
	c.open()
	if got := c.header.Name.Space; got != "http://etherx.jabber.org/streams" {
		t.Errorf("header in %q", got)
	}
	f := c.next()
	if !f.has("starttls", "required") || f.has("mechanisms") {
		t.Errorf("features before TLS: %v", f)
	}
	c.startTLS()
	c.open()
	f = c.next()
	if got := f.at("mechanisms", "mechanism").Text; got != "X-MESSENGER-OAUTH2" || len(f.at("mechanisms").Nodes) != 1 {
		t.Errorf("mechanisms: %v", f)
	}
	if n := c.auth(s.IssueToken("john@contoso.com")); n.XMLName.Local != "success" {
		t.Fatalf("auth: %v", n)
	}
	c.open()
	f = c.next()
	if !f.has("bind") || !f.has("session") {
		t.Errorf("features after SASL: %v", f)
	}
	if n := c.bind("bridge"); c.jid != john+"/bridge" || n.attr("from") != "" {
		t.Errorf("bind: %v", n)
	}
	n, _ := c.iq("set", "", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")
	if n.attr("type") != "result" || n.attr("from") != "messenger.live.com" || n.attr("to") != c.jid {
		t.Errorf("session: %v", n)
	}
	n, _ = c.iq("get", "", "<query xmlns='jabber:iq:roster'/>")
	if item := n.at("query", "item"); item.attr("jid") != mary || item.attr("name") != "Mary" || item.attr("subscription") != "both" {
		t.Errorf("roster: %v", n)
	}
	c.send("<presence/>")
	got := c.sync()
	if count(got, isPresence("", mary+"/")) != 1 || count(got, isPresence("", c.jid)) != 1 {
		t.Errorf("after the initial presence: %v", got)
	}
	c.send("</stream:stream>")
	if condition := c.ended(); condition != "" {
		t.Errorf("ended with %s", condition)
	}
	if !strings.HasSuffix(c.raw.String(), "</stream:stream>") {
		t.Error("the stream was not closed in order")
	}
}

func TestATokenIsTakenAsItIsOrEscapedAndNothingElse(t *testing.T) {
	cfg := people()
	cfg.Tokens = []messengerd.TokenConfig{{Account: "john@contoso.com", Token: "EwA+/w==", Life: time.Hour}}
	s := start(t, cfg)
	expired := s.Tokens()
	expired.Add("old", john, time.Now().Add(-time.Minute))
	for _, test := range []struct{ name, token, want string }{
		{"as it is", "EwA+/w==", ""},
		{"with white space around", " \nEwA+/w== ", ""},
		{"percent-encoded", "EwA%2b%2fw%3d%3d", ""},
		{"percent-encoded by the library", url.QueryEscape("EwA+/w=="), ""},
		{"base64 once more", "RXdBKy93PT0=", "not-authorized"},
		{"unknown", "EwB", "not-authorized"},
		{"expired", "old", "not-authorized"},
		{"bad escape", "%zz", "not-authorized"},
		{"empty", "", "malformed-request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := toSASL(t, s, s.Addr())
			n := c.auth(test.token)
			if test.want == "" {
				if n.XMLName.Local != "success" {
					t.Fatalf("refused: %v", n)
				}
				return
			}
			if n.XMLName.Local != "failure" || n.condition() != test.want {
				t.Fatalf("got %v", n)
			}
			if _, err := c.read(); err != errEnd {
				t.Errorf("the stream does not end after the failure: %v", err)
			}
		})
	}
}

func TestNothingIsPossibleBeforeTLS(t *testing.T) {
	s := start(t, people())
	for _, test := range []struct{ name, send, want string }{
		{"auth", "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-MESSENGER-OAUTH2'>x</auth>", "encryption-required"},
		{"a message", "<message to='" + mary + "' type='chat'><body>x</body></message>", "not-authorized"},
		{"data behind starttls", "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><auth/>", "policy-violation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, s, s.Addr())
			c.open()
			c.next()
			c.send(test.send)
			if got := c.next().condition(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestWrongStreamHeadersAreAnsweredWithTheirErrors(t *testing.T) {
	s := start(t, people())
	for _, test := range []struct{ name, header, want string }{
		{"another host", strings.Replace(clientHeader, "messenger.live.com", "live.com", 1), "host-unknown"},
		{"no version", strings.Replace(clientHeader, " version='1.0'", "", 2), "unsupported-version"},
		{"another stream namespace", strings.Replace(clientHeader, "etherx", "example", 1), "invalid-namespace"},
		{"another default namespace", strings.Replace(clientHeader, "jabber:client", "jabber:server", 1), "invalid-namespace"},
		{"not XML", "GET / HTTP/1.1\r\n\r\n", "bad-format"},
		{"a document type", "<!DOCTYPE x><stream:stream>", "restricted-xml"},
		{"an unfinished attribute", "<stream:stream to=>", "not-well-formed"},
		{"another encoding", `<?xml version="1.0" encoding="utf-16"?>`, "unsupported-encoding"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := test.header
			if test.name == "no version" {
				header = "<stream:stream to='messenger.live.com' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
			}
			c := dial(t, s, s.Addr())
			c.send(header)
			c.readHeader()
			if got := c.next().condition(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestBindGivesTheResourceByTheSwitch(t *testing.T) {
	for _, test := range []struct{ resource, ask, want string }{
		{"honoured", "bridge", john + "/bridge"},
		{"honoured", "", "any"},
		{"overridden", "bridge", "any"},
		{"conflict", "bridge", "conflict"},
		{"conflict", "", "any"},
	} {
		t.Run(test.resource+" "+test.ask, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.Resource = test.resource })
			c := toBind(t, s, "john@contoso.com")
			n := c.bind(test.ask)
			switch test.want {
			case "any":
				if !strings.HasPrefix(c.jid, john+"/") || strings.HasSuffix(c.jid, "/bridge") || strings.HasSuffix(c.jid, "/") {
					t.Errorf("bound %q", c.jid)
				}
			case "conflict":
				if n.condition() != "conflict" || n.at("error").attr("type") != "cancel" {
					t.Fatalf("got %v", n)
				}
				if c.bind(""); c.jid == "" {
					t.Error("no second try without a resource")
				}
			default:
				if c.jid != test.want {
					t.Errorf("bound %q", c.jid)
				}
			}
		})
	}
}

func TestASecondLoginWithTheSameResourceReplacesTheFirst(t *testing.T) {
	s := start(t, people())
	first := online(t, s, "john@contoso.com", "bridge")
	second := online(t, s, "john@contoso.com", "bridge")
	if got := first.ended(); got != "conflict" {
		t.Errorf("the first stream ended with %q", got)
	}
	if got := count(second.sync(), isPresence("unavailable", john)); got != 0 {
		t.Error("the second stream sees its own resource going")
	}
	if err := s.Account(mary).SendMessage(john, "hello"); err != nil {
		t.Fatal(err)
	}
	second.await("the message", isMessage("hello"))
	if got := len(s.Account(john).Sessions()); got != 1 {
		t.Errorf("%d sessions", got)
	}
}

func TestFeaturesAreByTheSwitches(t *testing.T) {
	t.Run("mechanisms before TLS, refused there", func(t *testing.T) {
		s := startWith(t, func(sw *messengerd.Switches) { sw.FeaturesBeforeTLS = "mechanisms" })
		c := dial(t, s, s.Addr())
		c.open()
		if f := c.next(); !f.has("mechanisms", "mechanism") || !f.has("starttls") {
			t.Errorf("features: %v", f)
		}
		if n := c.auth(s.IssueToken(john)); n.condition() != "encryption-required" {
			t.Errorf("auth before TLS: %v", n)
		}
	})
	t.Run("no STARTTLS", func(t *testing.T) {
		s := startWith(t, func(sw *messengerd.Switches) { sw.FeaturesBeforeTLS = "none" })
		c := dial(t, s, s.Addr())
		c.open()
		if f := c.next(); len(f.Nodes) != 0 {
			t.Errorf("features: %v", f)
		}
		c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
		if n := c.next(); n.XMLName.Local != "failure" || n.XMLName.Space != "urn:ietf:params:xml:ns:xmpp-tls" {
			t.Errorf("got %v", n)
		}
	})
	for value, want := range map[string]string{"exact": "X-MESSENGER-OAUTH2", "trailing_space": "X-MESSENGER-OAUTH2 ", "other_only": "PLAIN"} {
		t.Run("mechanism "+value, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.Mechanism = value })
			c := dial(t, s, s.Addr())
			c.open()
			c.next()
			c.startTLS()
			c.open()
			if got := c.next().at("mechanisms", "mechanism").Text; got != want {
				t.Errorf("offered %q", got)
			}
			n := c.auth(s.IssueToken(john))
			if ok := n.XMLName.Local == "success"; ok != (value != "other_only") {
				t.Errorf("auth: %v", n)
			}
		})
	}
	for value, want := range map[string]bool{"offered": true, "absent": false, "optional": true} {
		t.Run("session "+value, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.SessionFeature = value })
			c := toSASL(t, s, s.Addr())
			c.auth(s.IssueToken(john))
			c.open()
			f := c.next()
			if f.has("session") != want || f.has("session", "optional") != (value == "optional") {
				t.Errorf("features: %v", f)
			}
		})
	}
}

func TestARefusedTokenIsAnsweredByTheSwitch(t *testing.T) {
	for _, condition := range []string{"not-authorized", "aborted", "account-disabled", "credentials-expired", "temporary-auth-failure", "unknown-condition", "none"} {
		t.Run(condition, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.SASLFailure.Condition = condition })
			c := toSASL(t, s, s.Addr())
			want := condition
			if want == "none" {
				want = ""
			}
			if n := c.auth("bad"); n.XMLName.Local != "failure" || n.condition() != want {
				t.Errorf("got %v", n)
			}
		})
	}
	t.Run("the stream may stay open for five tries", func(t *testing.T) {
		s := startWith(t, func(sw *messengerd.Switches) { sw.SASLFailure.Stream = "open" })
		c := toSASL(t, s, s.Addr())
		for range 4 {
			if n := c.auth("bad"); n.condition() != "not-authorized" {
				t.Fatalf("got %v", n)
			}
		}
		if n := c.auth("bad"); n.XMLName.Local != "error" || n.condition() != "policy-violation" {
			t.Errorf("fifth failure: %v", n)
		}
		c = toSASL(t, s, s.Addr())
		c.auth("bad")
		if n := c.auth(s.IssueToken(john)); n.XMLName.Local != "success" {
			t.Errorf("second try: %v", n)
		}
	})
	t.Run("good tokens may be refused too", func(t *testing.T) {
		s := startWith(t, func(sw *messengerd.Switches) { sw.SASLFailure.Always = true })
		if n := toSASL(t, s, s.Addr()).auth(s.IssueToken(john)); n.condition() != "not-authorized" {
			t.Errorf("got %v", n)
		}
	})
	t.Run("an abort is answered", func(t *testing.T) {
		s := start(t, people())
		c := toSASL(t, s, s.Addr())
		c.send("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl' />")
		if n := c.next(); n.condition() != "aborted" {
			t.Errorf("got %v", n)
		}
	})
}

package messengerd_test

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"matrix-messenger/internal/testclock"
	"matrix-messenger/messengerd"
)

func TestTheCertificateIsByTheSwitch(t *testing.T) {
	s := start(t, people())
	for _, test := range []struct {
		kind, name string
		good       bool
	}{
		{"domain", "messenger.live.com", true},
		{"gateway", "messenger.live.com", false},
		{"gateway", "x.gateway.messenger.live.com", true},
		{"gateway", "x.gateway.edge.messenger.live.com", true},
		{"wrong_name", "messenger.live.com", false},
		{"unknown_root", "messenger.live.com", false},
		{"expired", "messenger.live.com", false},
	} {
		t.Run(test.kind+" for "+test.name, func(t *testing.T) {
			if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.Certificate = test.kind }); err != nil {
				t.Fatal(err)
			}
			c := dial(t, s, s.Addr())
			c.open()
			c.next()
			c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			c.next()
			err := c.handshake(test.name)
			if (err == nil) != test.good {
				t.Fatalf("handshake: %v", err)
			}
			var unknown x509.UnknownAuthorityError
			if test.kind == "unknown_root" && !errors.As(err, &unknown) {
				t.Errorf("not an unknown authority: %v", err)
			}
			var invalid x509.CertificateInvalidError
			if test.kind == "expired" && (!errors.As(err, &invalid) || invalid.Reason != x509.Expired) {
				t.Errorf("not expired: %v", err)
			}
		})
	}
}

func TestTheStreamHeaderIsByTheSwitch(t *testing.T) {
	for form, check := range map[string]func(c *client) bool{
		"plain":          func(c *client) bool { return c.headerAttr("from") == "messenger.live.com" && c.headerAttr("to") == "" },
		"to":             func(c *client) bool { return c.headerAttr("to") != "" },
		"no_from":        func(c *client) bool { return c.headerAttr("from") == "" },
		"no_declaration": func(c *client) bool { return !strings.HasPrefix(c.raw.String(), "<?xml") },
	} {
		t.Run(form, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.StreamHeader = form })
			c := dial(t, s, s.Addr())
			c.open()
			if !check(c) || c.headerAttr("id") == "" || c.headerAttr("version") != "1.0" {
				t.Errorf("header: %s", c.raw.String())
			}
		})
	}
}

func (c *client) headerAttr(name string) string { return node{Attrs: c.header.Attr}.attr(name) }

func TestTheStyleOfXMLIsByTheSwitch(t *testing.T) {
	const declared = `<stream:features xmlns:stream="http://etherx.jabber.org/streams">`
	for style, want := range map[string][2]bool{ // features declare the prefix, stanzas the namespace
		"self_contained": {true, false}, "header_prefixes": {false, false}, "repeat_namespace": {true, true},
	} {
		t.Run(style, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.XMLStyle = style })
			c := toBind(t, s, john)
			if got := strings.Contains(c.raw.String(), declared); got != want[0] {
				t.Errorf("features: %s", c.raw.String())
			}
			c.bind("r")
			if got := strings.Contains(c.raw.String(), `<iq xmlns="jabber:client" type="result"`); got != want[1] {
				t.Errorf("bind result: %s", c.raw.String())
			}
			c.iq("set", "", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")
			if !strings.HasSuffix(c.raw.String(), " />") {
				t.Errorf("empty elements do not end in ' />': %s", c.raw.String())
			}
		})
	}
}

func TestIdleStreamsAreCutAndWhiteSpaceDoesNotCount(t *testing.T) {
	cl := testclock.New(time.Now())
	s := start(t, people(), messengerd.WithClock(cl.Now))
	idle := online(t, s, john, "idle")
	busy := online(t, s, john, "busy")
	cl.Advance(100 * time.Second)
	idle.send("  \n ")
	busy.sync()
	cl.Advance(21 * time.Second)
	s.Sweep()
	if got := idle.ended(); got != "" {
		t.Errorf("the idle stream ended with %s", got)
	}
	busy.sync()
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.IdleCut = 0 }); err != nil {
		t.Fatal(err)
	}
	cl.Advance(24 * time.Hour)
	s.Sweep()
	busy.sync()
}

func TestAnExpiredTokenCutsTheStreamOnlyByTheSwitch(t *testing.T) {
	cl := testclock.New(time.Now())
	cfg := people()
	cfg.Switches.IdleCut = 0
	s := start(t, cfg, messengerd.WithClock(cl.Now))
	c := online(t, s, john, "r")
	cl.Advance(2 * time.Hour)
	s.Sweep()
	c.sync()
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.TokenLife.Stream = "cut" }); err != nil {
		t.Fatal(err)
	}
	s.Sweep()
	if got := c.ended(); got != "not-authorized" {
		t.Errorf("ended with %q", got)
	}
}

func TestALongStanzaEndsTheStreamByTheSwitch(t *testing.T) {
	s := startWith(t, func(sw *messengerd.Switches) { sw.LongestStanza = 16344 })
	frame := "<message type='chat' to='" + mary + "'><body></body></message>"
	stanza := func(length int) string {
		return strings.Replace(frame, "<body>", "<body>"+strings.Repeat("x", length-len(frame)), 1)
	}
	c := online(t, s, john, "r")
	c.send(stanza(16344))
	c.send(strings.Repeat(" ", 20000)) // between stanzas white space is no part of one
	c.sync()
	c.send(stanza(16345))
	n := c.next()
	if n.condition() != "not-well-formed" || !strings.Contains(n.at("text").Text, "position 16344") {
		t.Errorf("got %v", n)
	}
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.LongestStanza = 0 }); err != nil {
		t.Fatal(err)
	}
	c = online(t, s, john, "r")
	c.send(stanza(200_000))
	c.sync()
	go func() { // the server stops reading in the middle
		_, _ = c.conn.Write([]byte(stanza(2 << 20)))
	}()
	if got := c.ended(); got != "policy-violation" {
		t.Errorf("two megabytes ended with %q", got)
	}
}

func TestPingAndDiscoAreAnsweredByTheSwitches(t *testing.T) {
	const ping = "<ping xmlns='urn:xmpp:ping'/>"
	const disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
	const domain = "messenger.live.com"
	s := start(t, people())
	c := signIn(t, s, john, "r")
	set := func(change func(*messengerd.Switches)) {
		if err := s.SetSwitches(change); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := c.iq("get", domain, ping); n.condition() != "service-unavailable" || n.attr("from") != domain {
		t.Errorf("ping: %v", n)
	}
	n, _ := c.iq("get", domain, disco)
	if !strings.Contains(n.String(), "http://messenger.live.com/xmpp/jidlookup") || !n.has("query", "identity") {
		t.Errorf("disco: %v", n)
	}
	set(func(sw *messengerd.Switches) { sw.Ping, sw.DiscoInfo = "result", "without" })
	if n, _ := c.iq("get", domain, ping); n.attr("type") != "result" {
		t.Errorf("ping: %v", n)
	}
	if n, _ := c.iq("get", domain, disco); strings.Contains(n.String(), "jidlookup") || !n.has("query", "identity") {
		t.Errorf("disco: %v", n)
	}
	set(func(sw *messengerd.Switches) { sw.Ping, sw.DiscoInfo = "silence", "error" })
	c.send("<iq type='get' id='p' to='" + domain + "'>" + ping + "</iq>")
	if n, _ := c.iq("get", domain, disco); n.condition() != "service-unavailable" {
		t.Errorf("disco: %v", n)
	}
	set(func(sw *messengerd.Switches) { sw.DiscoInfo = "silence" })
	c.send("<iq type='get' id='d' to='" + domain + "'>" + disco + "</iq>")
	for _, n := range c.sync() {
		t.Errorf("silence was broken: %v", n)
	}
}

func TestAnswersComeFromWhomTheSwitchSays(t *testing.T) {
	s := start(t, people())
	c := signIn(t, s, john, "r")
	c.iq("get", "", "<query xmlns='jabber:iq:roster'/>")
	want := map[string]string{"domain": "messenger.live.com", "absent": "", "bare": john, "full": john + "/r", "foreign": "foreign@example.org"}
	for form, from := range want {
		if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.IQFrom.Reply, sw.IQFrom.Push = form, form }); err != nil {
			t.Fatal(err)
		}
		if n, _ := c.iq("get", "", "<query xmlns='jabber:iq:roster'/>"); n.attr("from") != from {
			t.Errorf("%s: answer from %q", form, n.attr("from"))
		}
		s.Account(john).Rename(mary, "Mary "+form)
		push := c.next()
		if push.attr("from") != from || push.at("query", "item").attr("name") != "Mary "+form || push.attr("type") != "set" {
			t.Errorf("%s: push %v", form, push)
		}
	}
}

func TestFaultsOnDemand(t *testing.T) {
	s := start(t, people())
	t.Run("a stream error", func(t *testing.T) {
		c := online(t, s, john, "r")
		if err := s.StreamError(john, "internal-server-error", "oh"); err != nil {
			t.Fatal(err)
		}
		if got := c.ended(); got != "internal-server-error" {
			t.Errorf("ended with %q", got)
		}
		if err := s.StreamError(john, "no-such-thing", ""); err == nil {
			t.Error("an unknown condition was taken")
		}
	})
	t.Run("an abrupt close", func(t *testing.T) {
		c := online(t, s, john, "r")
		if n := s.CutSessions("john@contoso.com"); n != 1 {
			t.Errorf("%d cut", n)
		}
		if _, err := c.read(); err == nil || err == errEnd {
			t.Errorf("ended with %v", err)
		}
	})
	t.Run("raw XML", func(t *testing.T) {
		c := online(t, s, john, "r")
		s.SendRaw(john, "<message from='x@y' type='chat'><body>raw</body></message>")
		c.await("the raw message", isMessage("raw"))
	})
	t.Run("a redirect in the running session", func(t *testing.T) {
		c := online(t, s, john, "r")
		s.RedirectSessions(john, "other.example:1")
		if got := c.ended(); got != "see-other-host" {
			t.Errorf("ended with %q", got)
		}
	})
	faults := func(t *testing.T, f messengerd.Faults) *client {
		c := online(t, s, john, "r")
		if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.Faults = f }); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.SetSwitches(func(sw *messengerd.Switches) { sw.Faults = messengerd.Faults{} }) })
		return c
	}
	t.Run("every stanza a stream error", func(t *testing.T) {
		c := faults(t, messengerd.Faults{StreamError: "reset"})
		c.send("<presence/>")
		if got := c.ended(); got != "reset" {
			t.Errorf("ended with %q", got)
		}
	})
	t.Run("every stanza a cut", func(t *testing.T) {
		c := faults(t, messengerd.Faults{Close: true})
		c.send("<message type='chat' to='" + mary + "'><body>lost</body></message>")
		if _, err := c.read(); err == nil || err == errEnd {
			t.Errorf("ended with %v", err)
		}
		if n := count2(s.Account(mary).Received(), "lost"); n != 0 {
			t.Error("the message was delivered")
		}
	})
	t.Run("every message an error", func(t *testing.T) {
		c := faults(t, messengerd.Faults{MessageError: "recipient-unavailable"})
		c.send("<message type='chat' id='m1' to='" + mary + "'><body>x</body></message>")
		n := c.next()
		if n.attr("type") != "error" || n.attr("id") != "m1" || n.condition() != "recipient-unavailable" || n.at("error").attr("type") != "wait" {
			t.Errorf("got %v", n)
		}
	})
	t.Run("answers delayed", func(t *testing.T) {
		c := faults(t, messengerd.Faults{Delay: 50 * time.Millisecond})
		before := time.Now()
		c.sync()
		if time.Since(before) < 50*time.Millisecond {
			t.Error("the answer came at once")
		}
	})
}

func count2(list []messengerd.Received, body string) int {
	n := 0
	for _, r := range list {
		if r.Body == body {
			n++
		}
	}
	return n
}

func TestClosingTheServerTellsTheClients(t *testing.T) {
	s, err := messengerd.New(people())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := online(t, s, john, "r")
	half := dial(t, s, s.Addr()) // says nothing
	done := make(chan error)
	go func() { done <- s.Close() }()
	if got := c.ended(); got != "system-shutdown" {
		t.Errorf("ended with %q", got)
	}
	_ = c.conn.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	half.fresh()
	if _, err := half.read(); err == nil {
		if _, err = half.read(); err == nil {
			t.Error("the silent connection was left open")
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

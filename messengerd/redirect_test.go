package messengerd_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd"
)

// redirectAt signs in step by step until see-other-host comes and says where.
func redirectAt(t *testing.T, s *messengerd.Server) (stage, target string) {
	t.Helper()
	c := dial(t, s, s.Addr())
	check := func(at string, n node) bool {
		if n.condition() == "see-other-host" {
			stage, target = at, n.at("see-other-host").Text
			if n.XMLName.Local != "error" || n.XMLName.Space != "http://etherx.jabber.org/streams" {
				t.Errorf("not a stream error: %v", n)
			}
		}
		return stage != ""
	}
	c.open()
	if check("first_stream", c.next()) {
		return
	}
	c.startTLS()
	c.open()
	if check("after_tls", c.next()) {
		return
	}
	if check("during_sasl", c.auth(s.IssueToken(john))) {
		return
	}
	c.open()
	if check("after_sasl", c.next()) {
		return
	}
	c.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	if check("at_bind", c.next()) {
		return
	}
	c.send("<presence/>")
	for !check("signed_in", c.next()) {
		if c.t.Failed() {
			return
		}
	}
	return
}

func TestRedirectsComeAtTheStageOfTheSwitch(t *testing.T) {
	for _, want := range []string{"first_stream", "after_tls", "during_sasl", "after_sasl", "at_bind", "signed_in"} {
		t.Run(want, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) {
				sw.RedirectStage, sw.RedirectTarget.Form, sw.RedirectTarget.Host = want, "host", "BAYMSG1020127.gateway.edge.messenger.live.com"
			})
			stage, target := redirectAt(t, s)
			if stage != want || target != "BAYMSG1020127.gateway.edge.messenger.live.com" {
				t.Errorf("redirected at %s to %q", stage, target)
			}
		})
	}
}

func TestRedirectTargetsHaveTheFormOfTheSwitch(t *testing.T) {
	for _, test := range []struct {
		target messengerd.RedirectTarget
		want   string // a prefix
	}{
		{messengerd.RedirectTarget{Form: "host_port"}, "LocalHost:"},
		{messengerd.RedirectTarget{Form: "host_port", Host: "Gateway.Example"}, "Gateway.Example:"},
		{messengerd.RedirectTarget{Form: "ipv4"}, "127.0.0.1:"},
		{messengerd.RedirectTarget{Form: "ipv6"}, "[::1]:"},
		{messengerd.RedirectTarget{Form: "literal", Text: "  a.b:5222 "}, "  a.b:5222 "},
		{messengerd.RedirectTarget{Form: "empty"}, ""},
		{messengerd.RedirectTarget{Form: "unreachable"}, "127.0.0.1:"},
	} {
		t.Run(test.target.Form+test.target.Host, func(t *testing.T) {
			if test.target.Form == "ipv6" {
				if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
					t.Skip("no IPv6 loopback here")
				} else {
					_ = l.Close()
				}
			}
			test.target.Chain, test.target.Via = 1, "listeners"
			s := startWith(t, func(sw *messengerd.Switches) { sw.RedirectTarget = test.target })
			stage, target := redirectAt(t, s)
			if stage != "after_tls" || !strings.HasPrefix(target, test.want) || (test.want == "" && target != "") {
				t.Fatalf("redirected at %s to %q", stage, target)
			}
			conn, err := net.DialTimeout("tcp", target, patience)
			if err == nil {
				_ = conn.Close()
			}
			switch test.target.Form {
			case "ipv4", "ipv6":
				if err != nil || target != s.HopAddr(1) {
					t.Errorf("the target does not answer: %v", err)
				}
			case "unreachable":
				if err == nil {
					t.Error("the unreachable target answers")
				}
			}
		})
	}
}

func TestAChainOfRedirectsEndsAndALoopDoesNot(t *testing.T) {
	// follow goes from hop to hop and gives the number of redirects before the features came.
	follow := func(t *testing.T, s *messengerd.Server, most int) int {
		address := s.Addr()
		for hops := range most {
			c := dial(t, s, address)
			c.open()
			c.next()
			c.startTLS()
			c.open()
			n := c.next()
			if n.condition() != "see-other-host" {
				return hops
			}
			address = n.at("see-other-host").Text
		}
		return most
	}
	for _, test := range []struct {
		name   string
		target messengerd.RedirectTarget
		want   int
	}{
		{"one", messengerd.RedirectTarget{Form: "ipv4", Chain: 1, Via: "listeners"}, 1},
		{"five", messengerd.RedirectTarget{Form: "ipv4", Chain: 5, Via: "listeners"}, 5},
		{"three to itself", messengerd.RedirectTarget{Form: "ipv4", Chain: 3, Via: "self"}, 3},
		{"none", messengerd.RedirectTarget{Form: "ipv4", Chain: 0, Via: "listeners"}, 0},
		{"loop", messengerd.RedirectTarget{Form: "ipv4", Chain: 1, Loop: true, Via: "listeners"}, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.RedirectTarget = test.target })
			if got := follow(t, s, 8); got != test.want {
				t.Errorf("%d redirects, want %d", got, test.want)
			}
		})
	}
}

func TestWhatSurroundsARedirectIsByTheSwitch(t *testing.T) {
	for _, test := range []messengerd.RedirectEnd{{Header: true, Close: "end"}, {Header: true, Close: "abrupt"}, {Header: false, Close: "end"}, {Header: true, Close: "open"}} {
		t.Run(test.Close, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) {
				sw.RedirectTarget.Form, sw.RedirectEnd = "literal", test
				sw.RedirectTarget.Text = "a.example"
			})
			c := dial(t, s, s.Addr())
			c.open()
			c.next()
			c.startTLS()
			c.send(clientHeader)
			if !test.Header {
				c.fresh()
				if n := c.next(); n.condition() != "see-other-host" {
					t.Fatalf("got %v", n)
				}
				return
			}
			c.readHeader()
			if n := c.next(); n.condition() != "see-other-host" {
				t.Fatalf("got %v", n)
			}
			if test.Close == "open" {
				// Still open: the server waits for the client to close.
				_ = c.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				_, err := c.conn.Read(make([]byte, 1))
				var netErr net.Error
				if !errors.As(err, &netErr) || !netErr.Timeout() {
					t.Errorf("the stream did not stay open: %v", err)
				}
				return
			}
			_, err := c.read()
			if (err == errEnd) != (test.Close == "end") {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

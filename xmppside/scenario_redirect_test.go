package xmppside_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/messenger"
)

const gateway = "BAYMSG1020127.gateway.edge.messenger.live.com"

// redirectTo makes the service send every second connection to a text.
func redirectTo(stage, text string) func(*messengerd.Config) {
	return func(c *messengerd.Config) {
		c.Switches.RedirectStage = stage
		c.Switches.RedirectTarget.Form = "literal"
		c.Switches.RedirectTarget.Text = text
		c.Switches.RedirectTarget.Via = "self"
		c.Switches.RedirectTarget.Chain = 1
	}
}

func TestARedirectIsFollowedAtEveryStage(t *testing.T) {
	for _, stage := range []string{"first_stream", "after_tls", "during_sasl", "after_sasl", "at_bind", "signed_in"} {
		for _, end := range []messengerd.RedirectEnd{{Header: true, Close: "end"}, {Header: false, Close: "end"}, {Header: true, Close: "abrupt"}, {Header: true, Close: "open"}} {
			t.Run(stage+" "+end.Close, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, setup{config: func(c *messengerd.Config) {
						redirectTo(stage, gateway)(c)
						c.Switches.RedirectEnd = end
					}})
					w.network.Alias(strings.ToLower(gateway)+":5222", w.door)
					defer w.signIn()()
					if stage == "signed_in" {
						// The redirect may come just before or just after the account calls itself online.
						w.state(xmppside.Online)
					}
					if got := w.network.Dials(); !slices.Equal(got, []string{entry, strings.ToLower(gateway) + ":5222"}) {
						t.Errorf("dialled %q", got)
					}
					for _, header := range w.trace.sent(func(x string) bool { return strings.Contains(x, "<stream:stream") }) {
						if !strings.Contains(header, `to="messenger.live.com"`) && !strings.Contains(header, `to='messenger.live.com'`) {
							t.Errorf("stream opened with %s", header)
						}
					}
				})
			})
		}
	}
}

func TestEveryFormOfARedirectTargetIsUnderstood(t *testing.T) {
	for _, c := range []struct{ text, dialled string }{
		{gateway, strings.ToLower(gateway) + ":5222"},
		{gateway + ":9222", strings.ToLower(gateway) + ":9222"},
		{"10.1.2.3", "10.1.2.3:5222"},
		{"10.1.2.3:9222", "10.1.2.3:9222"},
		{"[2001:DB8::1]", "[2001:db8::1]:5222"},
		{"[2001:db8::1]:9222", "[2001:db8::1]:9222"},
		{"\n  " + gateway + "\t", strings.ToLower(gateway) + ":5222"},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{config: redirectTo("after_tls", c.text)})
				w.network.Alias(c.dialled, w.door)
				defer w.signIn()()
				if got := w.network.Dials(); !slices.Equal(got, []string{entry, c.dialled}) {
					t.Errorf("dialled %q", got)
				}
			})
		})
	}
}

func TestASRVRecordOfTheRedirectTargetCountsAndItsSilenceDoesNotHurt(t *testing.T) {
	name := strings.ToLower(gateway)
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{config: redirectTo("after_tls", gateway)})
			w.srv.silent = map[string]bool{name: silent}
			want := name + ":5222"
			if !silent {
				w.srv.records = map[string][]*net.SRV{name: {{Target: "front.example.", Port: 5333}}}
				want = "front.example:5333"
			}
			w.network.Alias(want, w.door)
			began := time.Now()
			defer w.signIn()()
			if got := w.network.Dials(); got[len(got)-1] != want {
				t.Errorf("dialled %q, want %s", got, want)
			}
			if took := time.Since(began); silent && took > 4*time.Second {
				t.Errorf("waited %v for SRV", took)
			}
		})
	}
}

func TestRedirectsThatLeadNowhereEndInARetryFromTheEntryPoint(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*messengerd.Switches)
		dials  int // of the first attempt
	}{
		{"a loop", func(s *messengerd.Switches) {
			s.RedirectTarget.Loop, s.RedirectTarget.Form, s.RedirectTarget.Text = true, "literal", "xmpp.messenger.live.com"
		}, 6},
		{"an empty target", func(s *messengerd.Switches) { s.RedirectTarget.Form = "empty" }, 1},
		{"nonsense", func(s *messengerd.Switches) { s.RedirectTarget.Text = "not a host:at all" }, 1},
		{"a host that is down", func(s *messengerd.Switches) { s.RedirectTarget.Text = "down.example:1" }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{config: redirectTo("after_tls", gateway)})
				w.switches(c.change)
				stop := w.run()
				defer stop()
				ev := w.problem(xmppside.CodeRedirects)
				if ev.Problem.Action != xmppside.Retry || ev.Next.IsZero() || len(w.network.Dials()) != c.dials {
					t.Errorf("%+v after dialling %q", ev, w.network.Dials())
				}
				w.switches(func(s *messengerd.Switches) { s.RedirectStage = "none" })
				w.state(xmppside.Online)
				if got := w.network.Dials(); got[len(got)-1] != entry {
					t.Errorf("dialled %q", got)
				}
			})
		})
	}
}

func TestNoMoreRedirectsAreFollowedThanAllowed(t *testing.T) {
	for _, chain := range []int{5, 6} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{config: redirectTo("after_tls", "xmpp.messenger.live.com")})
			w.switches(func(s *messengerd.Switches) { s.RedirectTarget.Chain = chain })
			stop := w.run()
			defer stop()
			if chain == 5 {
				w.state(xmppside.Online)
				return
			}
			w.problem(xmppside.CodeRedirects)
		})
	}
}

func TestTheLastGoodHostIsTriedFirstAndForgottenWhenItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: redirectTo("after_tls", gateway)})
		host := strings.ToLower(gateway) + ":5222"
		w.network.Alias(host, w.door)
		stop := w.run()
		defer stop()
		if ev := next(w, "the sign-in", anyOf[xmppside.SignedIn]); ev.Host != host {
			t.Errorf("signed in at %s", ev.Host)
		}
		w.state(xmppside.Online)
		w.switches(func(s *messengerd.Switches) { s.RedirectStage = "none" })
		w.server.CutSessions()
		w.state(xmppside.Online)
		w.network.Remove(host)
		w.server.CutSessions()
		w.state(xmppside.Online)
		w.server.CutSessions()
		w.state(xmppside.Online)
		if got, want := w.network.Dials(), []string{entry, host, host, host, entry, entry}; !slices.Equal(got, want) {
			t.Errorf("dialled %q, want %q", got, want)
		}
	})
}

func TestAStoredLastHostIsUsedAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{account: func(c *xmppside.AccountConfig) { c.LastHost = "stored.example:5300" }})
		w.network.Alias("stored.example:5300", w.door)
		defer w.signIn()()
		if got := w.network.Dials(); !slices.Equal(got, []string{"stored.example:5300"}) {
			t.Errorf("dialled %q", got)
		}
	})
}

// A redirect before TLS may be forged, and the host it names may be anybody's: it must show a certificate for the
// domain, or it gets nothing.
func TestAForgedRedirectToAHostWithAnotherCertificateGetsNoToken(t *testing.T) {
	for _, stage := range []string{"first_stream", "after_tls"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{config: redirectTo(stage, "evil.example")})
			evil, caught := messengerd.DefaultConfig(), new(trace)
			evil.Domain = "messenger.live.com"
			evil.Switches.RedirectStage = "none"
			thief, err := messengerd.New(evil, messengerd.WithListener(w.network.Listen("evil.example:5222")), messengerd.WithTrace(caught.add))
			if err != nil {
				t.Fatal(err)
			}
			if err := thief.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer thief.Close() //nolint:errcheck // a test
			stop := w.run()
			defer stop()
			w.problem(xmppside.CodeCertificate)
			if caught.auths() != 0 || len(w.network.Dials()) != 2 {
				t.Errorf("the token went to %q", w.network.Dials())
			}
		})
	}
}

func TestRedirectsOverRealSocketsIPv4AndIPv6(t *testing.T) {
	for _, form := range []string{"ipv4", "ipv6", "host_port"} {
		t.Run(form, func(t *testing.T) {
			if form == "ipv6" {
				l, err := net.Listen("tcp", "[::1]:0")
				if err != nil {
					t.Skip("this machine has no IPv6")
				}
				_ = l.Close()
			}
			w := newWorld(t, setup{realPorts: true, config: func(c *messengerd.Config) {
				c.Switches.RedirectStage = "after_tls"
				c.Switches.RedirectTarget.Form = form
				c.Switches.RedirectTarget.Chain = 3
			}})
			defer w.signIn()()
		})
	}
}

func TestARedirectLimitOfZeroFollowsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := 0
		w := newWorld(t, setup{config: redirectTo("after_tls", gateway), profile: func(o *messenger.Options) { o.Redirects = &none }})
		w.network.Alias(strings.ToLower(gateway)+":5222", w.door)
		defer w.run()()
		w.problem(xmppside.CodeRedirects)
	})
}

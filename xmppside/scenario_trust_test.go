package xmppside_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/messenger"
)

func certificate(kind string) func(*messengerd.Config) {
	return func(c *messengerd.Config) { c.Switches.Certificate = kind }
}

func TestOnlyACertificateForTheServiceIsTrustedWithTheToken(t *testing.T) {
	for _, c := range []struct {
		kind    string
		names   []string // nil: the default
		roots   bool
		trusted bool
	}{
		{"domain", nil, true, true},
		{"domain", []string{}, true, true},
		{"domain", nil, false, false},
		{"gateway", nil, true, true},
		{"gateway", []string{}, true, false},
		{"gateway", []string{"*.gateway.messenger.live.com"}, true, true},
		{"gateway", []string{"x.gateway.messenger.live.com"}, true, true},
		{"gateway", []string{"x.y.gateway.messenger.live.com"}, true, false},
		{"gateway", []string{"gateway.messenger.live.com"}, true, false},
		{"wrong_name", nil, true, false},
		{"wrong_name", []string{"wrong.example.org"}, true, true},
		{"wrong_name", []string{"*.example.org"}, true, true},
		{"wrong_name", []string{"*.wrong.example.org"}, true, false},
		{"unknown_root", nil, true, false},
		{"expired", nil, true, false},
	} {
		name := c.kind + " " + strings.Join(c.names, " ")
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{config: certificate(c.kind), profile: func(o *messenger.Options) {
					o.CertNames = c.names
					if !c.roots {
						o.Roots = nil
					}
				}})
				defer w.run()()
				if c.trusted {
					w.state(xmppside.Online)
					return
				}
				ev := w.problem(xmppside.CodeCertificate)
				if ev.Problem.Action != xmppside.RetryLongest || ev.Next.Sub(ev.Since) < 3*time.Minute || !strings.Contains(ev.Problem.Text, "certificate") {
					t.Errorf("%+v, %+v", ev, ev.Problem)
				}
				if w.trace.auths() != 0 {
					t.Error("the token was sent")
				}
				// When it is put right, the account comes back by itself.
				w.switches(func(s *messengerd.Switches) { s.Certificate = "domain" })
				if c.roots {
					w.state(xmppside.Online)
				}
			})
		})
	}
}

func TestAServiceWithoutEncryptionGetsNothingAndTheAdministratorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: func(c *messengerd.Config) { c.Switches.FeaturesBeforeTLS = "none" }})
		defer w.run()()
		ev := w.problem(xmppside.CodeNoTLS)
		if ev.Problem.Action != xmppside.TellAdmin || !ev.Next.IsZero() || w.trace.auths() != 0 {
			t.Errorf("%+v", ev)
		}
		time.Sleep(24 * time.Hour) // fake: nothing is tried by itself
		if n := len(w.network.Dials()); n != 1 {
			t.Errorf("dialled %d times", n)
		}
		w.switches(func(s *messengerd.Switches) { s.FeaturesBeforeTLS = "starttls" })
		w.account.Reconnect()
		w.state(xmppside.Online)
	})
}

func TestMechanismsOfferedBeforeEncryptionAreNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: func(c *messengerd.Config) { c.Switches.FeaturesBeforeTLS = "mechanisms" }})
		defer w.signIn()()
		all := w.trace.sent(func(string) bool { return true })
		auth := slices.IndexFunc(all, func(x string) bool { return strings.HasPrefix(x, "<auth") })
		tls := slices.IndexFunc(all, func(x string) bool { return strings.HasPrefix(x, "<starttls") })
		if tls < 0 || auth < tls {
			t.Errorf("sent %q", all)
		}
	})
}

func TestAServiceThatOffersPlainOnlyIsNotTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: func(c *messengerd.Config) { c.Switches.Mechanism = "other_only" }})
		defer w.run()()
		if ev := w.problem(xmppside.CodeNotTheService); ev.Problem.Action != xmppside.TellAdmin || w.trace.auths() != 0 {
			t.Errorf("%+v", ev)
		}
	})
}

func TestTheMechanismsNameMayHaveASpaceBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: func(c *messengerd.Config) { c.Switches.Mechanism = "trailing_space" }})
		defer w.signIn()()
		if got := w.trace.sent(func(x string) bool { return strings.Contains(x, messenger.Mechanism+" ") }); len(got) > 0 {
			t.Errorf("sent %q", got)
		}
	})
}

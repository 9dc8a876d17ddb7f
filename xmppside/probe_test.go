package xmppside_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/messenger"
)

func TestProbingSaysWhatIsWrongAndSendsNoToken(t *testing.T) {
	for _, c := range []struct {
		name    string
		config  func(*messengerd.Config)
		profile func(*messenger.Options)
		network func(*world)
		want    string
		remedy  string // of what fails
	}{
		{name: "all well", want: "dns ok, tls ok, redirect ok, service ok"},
		{name: "a redirect", config: redirectTo("after_tls", "xmpp.messenger.live.com"), want: "dns ok, tls ok, redirect ok, service ok"},
		{name: "SRV", network: func(w *world) {
			w.srv.records = map[string][]*net.SRV{"messenger.live.com": {{Target: "xmpp.messenger.live.com.", Port: 5222}}}
		}, want: "dns ok, tls ok, redirect ok, service ok"},
		{name: "not offered", network: func(w *world) {
			w.srv.records = map[string][]*net.SRV{"messenger.live.com": {{Target: "."}}}
		}, want: "dns fail, tls skip, redirect skip, service skip", remedy: "Check k.domain, or set k.address."},
		{
			name: "wrong certificate", config: certificate("wrong_name"), want: "dns ok, tls fail, redirect skip, service skip",
			remedy: "Check k.domain; give its authority in k.trusted authorities or its name in k.accepted names if you trust it.",
		},
		{name: "no encryption", config: func(c *messengerd.Config) { c.Switches.FeaturesBeforeTLS = "none" }, want: "dns ok, tls fail, redirect skip, service skip"},
		{name: "another service", config: func(c *messengerd.Config) { c.Switches.Mechanism = "other_only" }, want: "dns ok, tls ok, redirect ok, service fail"},
		{
			name: "a redirect to nowhere", config: redirectTo("after_tls", "down.example"), want: "dns ok, tls skip, redirect fail, service skip",
			remedy: "Check that the hosts it names can be reached from here, and k.number of redirects.",
		},
		{name: "nobody there", network: func(w *world) { w.network.Remove(entry) }, want: "dns ok, tls skip, redirect skip, service fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{config: c.config, profile: c.profile, options: func(o *xmppside.ServiceOptions) {
					o.Keys = map[xmppside.Setting]string{}
					for _, s := range xmppside.Settings() {
						o.Keys[s] = "k." + string(s)
					}
				}})
				defer w.server.Close() //nolint:errcheck // a test
				if c.network != nil {
					c.network(w)
				}
				var got []string
				for _, r := range w.service.Probe(t.Context()) {
					got = append(got, r.Check+" "+string(r.Status))
					if !strings.HasSuffix(r.Message, ".") || (r.Remedy == "") == (r.Status == xmppside.ProbeFail) {
						t.Errorf("%+v", r)
					}
					if strings.Contains(r.Remedy, "{") || r.Remedy != "" && c.remedy != "" && r.Remedy != c.remedy {
						t.Errorf("the remedy is %q", r.Remedy)
					}
				}
				if !slices.Equal(got, strings.Split(c.want, ", ")) {
					t.Errorf("got %q, want %s", got, c.want)
				}
				if w.trace.auths() != 0 {
					t.Error("the sign-in was sent")
				}
			})
		})
	}
}

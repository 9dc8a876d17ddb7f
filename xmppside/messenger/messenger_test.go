package messenger

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/iq/iqtest"
)

func TestTheDefaultNamesAreForMicrosoftsDomainOnly(t *testing.T) {
	for _, c := range []struct {
		domain string
		names  []string
		want   int
	}{
		{"", nil, 2},
		{"Messenger.Live.com", nil, 2},
		{"messenger.live.com", []string{}, 0},
		{"messenger.live.com", []string{"a.example"}, 1},
		{"chat.example", nil, 0},
		{"chat.example", []string{"*.gw.chat.example"}, 1},
	} {
		p, err := NewProfile(Options{Domain: c.domain, CertNames: c.names})
		if err != nil || len(p.CertNames) != c.want {
			t.Errorf("%q, %q: %q, %v", c.domain, c.names, p.CertNames, err)
		}
	}
}

func TestWhereTheServiceIsReached(t *testing.T) {
	p, err := NewProfile(Options{})
	if err != nil || p.Domain != "messenger.live.com" || p.FallbackHost != "xmpp.messenger.live.com:5222" || p.Address != "" {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = NewProfile(Options{Domain: "chat.example", Address: "127.0.0.1:5300"})
	if err != nil || p.FallbackHost != "" || p.Address != "127.0.0.1:5300" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	for _, o := range []Options{
		{CertNames: []string{"*"}},
		{CertNames: []string{"*.*.example"}},
		{CertNames: []string{"com"}},
		{CertNames: []string{"https://x.example"}},
	} {
		_, err := NewProfile(o)
		var wrong *xmppside.SettingError
		if !errors.As(err, &wrong) || wrong.Setting != xmppside.SettingCertNames || !strings.Contains(wrong.Problem, strconv.Quote(o.CertNames[0])) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestTheTokenIsSentAsItIsAndNeverPrinted(t *testing.T) {
	const secret = "EwA+/w=="
	auth := OAuth2(secret)
	if m, text, ok := auth.Start([]string{"PLAIN", Mechanism}, tls.ConnectionState{}); !ok || m != Mechanism || text != secret {
		t.Errorf("%q, %q, %v", m, text, ok)
	}
	if _, _, ok := auth.Start([]string{"PLAIN"}, tls.ConnectionState{}); ok {
		t.Error("signs in with PLAIN")
	}
	if _, err := auth.Next("x"); err == nil {
		t.Error("answers a challenge")
	}
	if s := fmt.Sprintf("%v %s %+v %#v", auth, auth, auth, auth); strings.Contains(s, "EwA") {
		t.Errorf("printed %s", s)
	}
}

func TestWhomAUserMeans(t *testing.T) {
	p, err := NewProfile(Options{Domain: "Chat.Example"})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := p.Directory.Parse("12@chat.example"); err != nil || a.JID.String() != "12@chat.example" || a.Email != "" {
		t.Errorf("a JID is %+v, %v", a, err)
	}
	if a, err := p.Directory.Parse("Mary@Contoso.com"); err != nil || a.Email != "mary@contoso.com" {
		t.Errorf("an e-mail address is %+v, %v", a, err)
	}
	if _, err := p.Directory.Parse("a&b@chat.example"); !errors.Is(err, xmppside.ErrBadJID) || errors.Is(err, xmppside.ErrNoAddress) {
		t.Errorf("a bad JID: %v", err)
	}
	if _, err := p.Directory.Parse("mary"); !errors.Is(err, xmppside.ErrNoAddress) {
		t.Errorf("no address: %v", err)
	}
	for condition, nobody := range map[string]bool{"item-not-found": true, "internal-server-error": false} {
		_, err := p.Directory.LookUp(t.Context(), iqtest.Replies(iqtest.Error("cancel", condition)), "mary@contoso.com")
		if err == nil || errors.Is(err, xmppside.ErrNobody) != nobody {
			t.Errorf("%s: %v", condition, err)
		}
	}
}

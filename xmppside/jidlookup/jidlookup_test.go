package jidlookup

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/iq/iqtest"
)

const open = `<getjid xmlns="http://messenger.live.com/xmpp/jidlookup">`

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		name string
		r    *iqtest.Requester
		want string
		err  error
	}{
		{"as documented", iqtest.Replies(iqtest.Result(open + `<jid>12345@messenger.live.com</jid></getjid>`)), "12345@messenger.live.com", nil},
		{"with white space and a resource", iqtest.Replies(iqtest.Result(open + "<jid>\n 12345@messenger.live.com/x </jid></getjid>")), "12345@messenger.live.com", nil},
		{"an empty getjid", iqtest.Replies(iqtest.Result(open + `</getjid>`)), "", ErrNotFound},
		{"an empty jid", iqtest.Replies(iqtest.Result(open + `<jid> </jid></getjid>`)), "", ErrNotFound},
		{"an empty result", iqtest.Replies(iqtest.Result(``)), "", ErrNotFound},
		{"item-not-found", iqtest.Replies(iqtest.Error("cancel", "item-not-found")), "", ErrNotFound},
		{"jid-malformed", iqtest.Replies(iqtest.Error("modify", "jid-malformed")), "", ErrNotFound},
		{"another error", iqtest.Replies(iqtest.Error("cancel", "service-unavailable")), "", ErrFailed},
		{"silence", iqtest.Fails(context.DeadlineExceeded), "", ErrFailed},
		{"the end of the session", iqtest.Fails(io.EOF), "", ErrFailed},
		{"a jid that is none", iqtest.Replies(iqtest.Result(open + `<jid>@@</jid></getjid>`)), "", ErrFailed},
		{"the jid of a server", iqtest.Replies(iqtest.Result(open + `<jid>messenger.live.com</jid></getjid>`)), "", ErrFailed},
		{"a jid of another namespace", iqtest.Replies(iqtest.Result(open + `<jid xmlns="urn:x">1@x.org</jid></getjid>`)), "", ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Lookup(context.Background(), c.r, " Mary@Contoso.COM\n")
			if !errors.Is(err, c.err) || got.String() != c.want {
				t.Errorf("%q, %v; want %q, %v", got, err, c.want, c.err)
			}
			sent := c.r.Sent()
			if len(sent) != 1 || sent[0].Type != iq.Get || sent[0].To != "mary@contoso.com" ||
				string(sent[0].Payload) != `<getjid xmlns="http://messenger.live.com/xmpp/jidlookup"/>` {
				t.Errorf("asked %+v", sent)
			}
		})
	}
}

func TestACauseStaysVisible(t *testing.T) {
	if _, err := Lookup(context.Background(), iqtest.Fails(context.DeadlineExceeded), "a@b.org"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestNobodyIsAskedForWhatIsNoAddress(t *testing.T) {
	for _, address := range []string{
		"", "mary", "@contoso.com", "mary@", "a@b@c", "o'hara@contoso.com", "a/b@contoso.com", "a&b@contoso.com",
		"a b@contoso.com", "Mary <mary@contoso.com>", "mary@contoso.com/home", `"a"@contoso.com`, "a:b@contoso.com",
		strings.Repeat("a", 250) + "@contoso.com", "mary@con\x00toso.com",
	} {
		r := iqtest.Replies(iqtest.Result(""))
		if _, err := Lookup(context.Background(), r, address); !errors.Is(err, ErrMalformed) || len(r.Sent()) != 0 {
			t.Errorf("%q: %v, asked %v", address, err, r.Sent())
		}
	}
	for _, address := range []string{"mary.contoso+x@sub.contoso.co.uk", "a_b-c%d@x.org", "jürgen@x.org"} {
		if got, err := Normalize(address); err != nil || got != address {
			t.Errorf("%q: %q, %v", address, got, err)
		}
	}
}

func FuzzLookup(f *testing.F) {
	f.Add("mary@contoso.com", "12345@messenger.live.com")
	f.Add("o'hara@x.org", "<jid>")
	f.Fuzz(func(t *testing.T, address, found string) {
		if strings.ContainsAny(found, "<&") {
			return
		}
		got, err := Lookup(context.Background(), iqtest.Replies(iqtest.Result(open+"<jid>"+found+"</jid></getjid>")), address)
		if err == nil && (got.Localpart() == "" || got.Resourcepart() != "") {
			t.Errorf("%q: %q", found, got)
		}
	})
}

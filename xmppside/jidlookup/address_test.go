package jidlookup

import (
	"errors"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"12345@messenger.live.com":       "jid 12345@messenger.live.com",
		" 12345@Messenger.Live.COM/Home": "jid 12345@messenger.live.com",
		"xmpp:1@messenger.live.com?chat": "jid 1@messenger.live.com",
		"Mary@Contoso.com":               "mail mary@contoso.com",
		"<mailto:Mary@Contoso.com>":      "mail mary@contoso.com",
		"a/b@contoso.com":                "none", // fits into no JID, so it cannot be looked up
		"a@b@contoso.com":                "none",
		"xmpp:mary@contoso.com":          "none",
		"mary":                           "none",
		"mary@":                          "none",
		"mary smith@contoso.com":         "none",
		"@messenger.live.com":            "bad",
		"mary smith@messenger.live.com":  "bad",
		"a&b@messenger.live.com":         "bad",
		"":                               "none",
	} {
		got, err := ParseAddress("messenger.live.com", in)
		text := "jid " + strings.ToLower(got.JID.String())
		switch {
		case errors.Is(err, ErrMalformed):
			text = "none"
		case errors.Is(err, ErrBadJID):
			text = "bad"
		case got.Email != "":
			text = "mail " + got.Email
		}
		if text != want {
			t.Errorf("%q is %q (%v), want %q", in, text, err, want)
		}
	}
}

package jidlookup

import (
	"errors"
	"strings"

	"mellium.im/xmpp/jid"
)

// ErrBadJID says that a text ends like a JID of the service but is none.
var ErrBadJID = errors.New("not a valid address of the service")

// Address is whom a user means: by JID, or by the e-mail address of an account, which has to be looked up first
// (messenger-protocol.md 7). Exactly one of the two is set.
type Address struct {
	JID   jid.JID // bare
	Email string  // as Normalize gives it
}

// ParseAddress tells a JID from an e-mail address: what ends in "@" and the domain is a JID, anything else with an "@" is
// an e-mail address (design.md section 5). A "mailto:" or "xmpp:" in front, angle brackets and a resource are dropped. The
// error is ErrBadJID, or ErrMalformed for what is neither.
func ParseAddress(domain, text string) (Address, error) {
	text = strings.TrimSpace(text)
	text = strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">")
	forced := false
	if scheme, rest, ok := strings.Cut(text, ":"); ok {
		switch strings.ToLower(scheme) {
		case "mailto":
			text = rest
		case "xmpp":
			text, forced = rest, true
			text, _, _ = strings.Cut(text, "?")
		}
	}
	bare, _, _ := strings.Cut(text, "/")
	if at := strings.LastIndexByte(bare, '@'); at >= 0 && strings.EqualFold(bare[at+1:], domain) {
		j, err := jid.Parse(bare)
		if err != nil || j.Localpart() == "" {
			return Address{}, ErrBadJID
		}
		return Address{JID: j.Bare()}, nil
	}
	if forced {
		return Address{}, ErrMalformed // another service's, which this one cannot reach
	}
	email, err := Normalize(text)
	if err != nil {
		return Address{}, err
	}
	return Address{Email: email}, nil
}

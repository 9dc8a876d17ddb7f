package messenger

import (
	"errors"
	"strings"

	"mellium.im/xmpp/jid"
)

// Errors of ParseAddress.
var (
	// ErrNoAddress says that a text is neither a JID of the service nor an e-mail address.
	ErrNoAddress = errors.New("neither an address of the service nor an e-mail address")
	// ErrBadJID says that it ends like a JID of the service but is none.
	ErrBadJID = errors.New("not a valid address of the service")
)

// Address is whom a user means: by JID, or by the e-mail address of a Microsoft account, which has to be looked up
// first (messenger-protocol.md 7). Exactly one of the two is set.
type Address struct {
	JID   jid.JID // bare
	Email string  // in lower case
}

// ParseAddress tells a JID from an e-mail address: what ends in "@" and the domain is a JID, anything else with an "@" is
// an e-mail address (design.md section 5). A "mailto:" or "xmpp:" in front, angle brackets and a resource are dropped.
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
	at := strings.LastIndexByte(bare, '@')
	if at < 0 {
		at = strings.LastIndexByte(text, '@')
		bare = text
	}
	if at <= 0 || at == len(bare)-1 || strings.ContainsAny(bare, " \t\r\n") {
		return Address{}, ErrNoAddress
	}
	if strings.EqualFold(bare[at+1:], domain) {
		j, err := jid.Parse(bare)
		if err != nil || j.Localpart() == "" {
			return Address{}, ErrBadJID
		}
		return Address{JID: j.Bare()}, nil
	}
	if forced {
		return Address{}, ErrNoAddress // another service's, which this one cannot reach
	}
	return Address{Email: strings.ToLower(text)}, nil
}

// Key is the identifier of a person: the bare JID in lower case, as the service compares JIDs ignoring case
// (messenger-protocol.md 5.1).
func Key(j jid.JID) string { return strings.ToLower(j.Bare().String()) }

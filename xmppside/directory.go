package xmppside

import (
	"context"
	"errors"
	"strings"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/iq"
)

// Errors of a Directory, to be tested with errors.Is.
var (
	// ErrBadJID says that a text was meant as a JID of the service but is none.
	ErrBadJID = errors.New("not a valid address of the service")
	// ErrNoAddress says that a text names nobody whom the service can know.
	ErrNoAddress = errors.New("not an address that the service knows")
	// ErrNobody says that the service knows nobody with an e-mail address.
	ErrNobody = errors.New("nobody has this e-mail address")
)

// Address is whom a user means: by JID, or by an e-mail address that has to be looked up first. Exactly one is set.
type Address struct {
	JID   jid.JID // bare
	Email string  // as it is compared and stored
}

// Directory says whom a user means, on a service that finds people by more than their JID.
type Directory interface {
	// Parse reads what a user typed. The error is ErrBadJID or ErrNoAddress.
	Parse(text string) (Address, error)
	// LookUp asks the service whose e-mail address it is, one that Parse gave. It is ErrNobody when the service says so;
	// after any other error another time may do better.
	LookUp(ctx context.Context, r iq.Requester, email string) (jid.JID, error)
}

// jidsOnly is the directory of a service that knows people by their JIDs alone, those of other domains too (RFC 6120).
type jidsOnly struct{}

// Parse takes any JID of a person. An "xmpp:" in front, angle brackets and a resource are dropped.
func (jidsOnly) Parse(text string) (Address, error) {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "<"), ">")
	if scheme, rest, ok := strings.Cut(text, ":"); ok && strings.EqualFold(scheme, "xmpp") {
		text, _, _ = strings.Cut(rest, "?")
	}
	found, err := jid.Parse(text)
	if err != nil || found.Localpart() == "" {
		return Address{}, ErrBadJID
	}
	return Address{JID: found.Bare()}, nil
}

// LookUp finds nobody.
func (jidsOnly) LookUp(context.Context, iq.Requester, string) (jid.JID, error) {
	return jid.JID{}, ErrNobody
}

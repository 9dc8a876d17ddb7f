package messenger

import (
	"context"
	"errors"
	"fmt"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/jidlookup"
)

// directory finds people by JID and by the e-mail address of a Microsoft account (messenger-protocol.md 7).
type directory struct{ domain string }

// Parse implements xmppside.Directory.
func (d directory) Parse(text string) (xmppside.Address, error) {
	address, err := jidlookup.ParseAddress(d.domain, text)
	switch {
	case errors.Is(err, jidlookup.ErrBadJID):
		err = fmt.Errorf("%w: %w", xmppside.ErrBadJID, err)
	case err != nil:
		err = fmt.Errorf("%w: %w", xmppside.ErrNoAddress, err)
	}
	return xmppside.Address(address), err
}

// LookUp implements xmppside.Directory.
func (directory) LookUp(ctx context.Context, r iq.Requester, email string) (jid.JID, error) {
	found, err := jidlookup.Lookup(ctx, r, email)
	if errors.Is(err, jidlookup.ErrNotFound) {
		err = fmt.Errorf("%w: %w", xmppside.ErrNobody, err)
	}
	return found, err
}

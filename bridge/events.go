package bridge

import (
	"context"
	"errors"
	"strings"

	"matrix-messenger/xmppside"
)

// errForeignAccount ends a session whose service says it belongs to somebody else than the login. Messages of one person must never show in the rooms of another.
var errForeignAccount = errors.New("the service signed the token in to another account than before")

// Handle implements xmppside.Handler: the one place where everything that an account's service sends comes in. It stores or hands over, and never waits
// for Matrix.
func (cl *Client) Handle(ctx context.Context, ev xmppside.Event) error {
	switch ev := ev.(type) {
	case xmppside.StateEvent:
		cl.onState(ev)
		cl.people.learnOwnName(ev)
		cl.outbox.onState(ev)
		cl.history.onState(ev)
		cl.presence.onState(ev)
	case xmppside.SignedIn:
		return cl.onSignedIn(ctx, ev)
	case xmppside.RosterLoaded:
		return cl.people.rosterLoaded(ctx, ev.Items)
	case xmppside.RosterPush:
		return cl.people.rosterPush(ctx, ev.Item)
	case xmppside.Message:
		cl.typing.heard(ev.From, ev.ChatState)
		return cl.inbound.message(ctx, ev)
	case xmppside.MessageError:
		return cl.outbox.refused(ctx, ev)
	case xmppside.ChatState:
		cl.typing.received(ev)
	case xmppside.PresenceUpdate:
		cl.presence.received(ev)
	case xmppside.PresenceError:
		return cl.people.presenceError(ctx, ev)
	case xmppside.Subscription:
		return cl.people.subscription(ctx, ev)
	}
	return nil
}

func (cl *Client) onSignedIn(ctx context.Context, ev xmppside.SignedIn) error {
	if !strings.EqualFold(ev.JID.Bare().String(), cl.id()) {
		return errForeignAccount
	}
	if err := cl.c.db.Credential.SetLastHost(ctx, cl.id(), ev.Host); err != nil {
		return err
	}
	return cl.history.signedIn(ctx, ev)
}

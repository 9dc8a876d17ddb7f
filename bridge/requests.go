package bridge

import (
	"context"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// hold keeps a message of somebody who is not accepted yet. taken is false when the message is to be shown at once.
func (p *people) hold(context.Context, incoming, string) (taken bool, err error) { return false, nil }

// rosterSettled is told what a newly fetched roster changed.
func (p *people) rosterSettled(context.Context, database.RosterDiff) error { return nil }

// contactChanged is told what a push changed.
func (p *people) contactChanged(context.Context, database.Contact, database.Contact) error {
	return nil
}

// presenceError is told that the service refused a presence or subscription stanza.
func (p *people) presenceError(context.Context, xmppside.PresenceError) error { return nil }

// subscription is told of a subscribe, subscribed, unsubscribe or unsubscribed.
func (p *people) subscription(context.Context, xmppside.Subscription) error { return nil }

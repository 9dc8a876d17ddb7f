package bridge

import (
	"context"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/xmppside"
)

// presence is the account's own state at the service, and what its contacts' states are in Matrix.
type presence struct {
	cl *Client
}

func newPresence(cl *Client) *presence { return &presence{cl: cl} }

// desired is what the account shows when it signs in.
func (p *presence) desired(context.Context) xmppside.Presence { return xmppside.Presence{} }

func (p *presence) onState(xmppside.StateEvent) {}

func (p *presence) received(xmppside.PresenceUpdate) {}

// matrixPresence is told what the homeserver says of a Matrix user.
func (c *Connector) matrixPresence(context.Context, id.UserID, event.Presence, string) {}

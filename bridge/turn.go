package bridge

import (
	"context"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
)

// nobody is the ID of a login that there never is: addresses of accounts have an @.
const nobody networkid.UserLoginID = "-"

// inTurn runs something in a chat's turn, in which no event of the chat is handled, from either side. ran is false when the chat has no room: without one the framework gives it
// no turn.
//
// The framework takes an event of a login for a sign that its user belongs into the room: it invites them, and lets their double puppet join. Somebody who has just left would be
// back. So the event is that of a login that does not exist, whose part in a chat cannot be stored; the framework's complaint about that goes nowhere.
func (c *Connector) inTurn(chat networkid.PortalKey, do func(context.Context, *bridgev2.Portal) error) (ran bool, err error) {
	source := &bridgev2.UserLogin{UserLogin: &bridgedb.UserLogin{BridgeID: c.br.ID, ID: nobody}, Bridge: c.br, Log: zerolog.Nop()}
	done := make(chan error, 1)
	answer := source.QueueRemoteEvent(&simplevent.EventMeta{
		Type:          bridgev2.RemoteEventUnknown,
		PortalKey:     chat,
		PreHandleFunc: func(ctx context.Context, portal *bridgev2.Portal) { done <- do(ctx, portal) },
	})
	select {
	case err = <-done:
		return true, err
	default:
		return false, answer.Error
	}
}

package bridge

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

var (
	_ bridgev2.MembershipHandlingNetworkAPI      = (*Client)(nil)
	_ bridgev2.MessageRequestAcceptingNetworkAPI = (*Client)(nil)
	_ bridgev2.RoomNameHandlingNetworkAPI        = (*Client)(nil)
)

// HandleMatrixMembership implements bridgev2.MembershipHandlingNetworkAPI: while the contact's request is undecided, the user's joining accepts it, and leaving or rejecting the
// invite declines it. At any other time joining and leaving concern Matrix only, and nothing is sent.
//
// What a double puppet does never gets here: the framework drops events that carry its mark, so a puppet does not accept by itself. A join without prev_content counts as one too; not all
// homeservers send it. The framework holds the room's lock, so this only stores the decision.
func (cl *Client) HandleMatrixMembership(ctx context.Context, msg *bridgev2.MatrixMembershipChange) (*bridgev2.MatrixMembershipResult, error) {
	if !msg.Type.IsSelf || id.UserID(msg.Event.GetStateKey()) != cl.login.UserMXID {
		return nil, nil
	}
	var accept bool
	switch {
	case msg.Type.To == event.MembershipJoin && msg.Type.From != event.MembershipJoin:
		accept = true
	case msg.Type.To == event.MembershipLeave:
	default:
		return nil, nil
	}
	who := string(msg.Portal.ID)
	if earlier, err := cl.people.isFromBefore(ctx, who, msg.Portal.MXID, time.UnixMilli(msg.Event.Timestamp)); earlier || err != nil {
		return nil, err
	}
	_, err := cl.people.decide(ctx, who, accept)
	return nil, err
}

// isFromBefore tells whether the user came or went before the contact asked, in a room that was there before, so that it says nothing about the request. The homeserver
// may tell of it afterwards. Where the clocks of the two differ, the room of a request itself is still known by its mark.
func (p *people) isFromBefore(ctx context.Context, who string, room id.RoomID, at time.Time) (bool, error) {
	row, found, err := p.cl.c.db.Request.Get(ctx, p.cl.id(), who, database.RequestIn)
	if err != nil || !found || !at.Before(row.CreatedAt) {
		return false, err
	}
	ours, err := p.isRequestRoom(ctx, room, who)
	return !ours, err
}

// HandleMatrixAcceptMessageRequest implements bridgev2.MessageRequestAcceptingNetworkAPI, for clients with a button for it.
func (cl *Client) HandleMatrixAcceptMessageRequest(ctx context.Context, msg *bridgev2.MatrixAcceptMessageRequest) error {
	_, err := cl.people.decide(ctx, string(msg.Portal.ID), true)
	return err
}

// HandleMatrixRoomName implements bridgev2.RoomNameHandlingNetworkAPI: names of contacts cannot be changed at the service (messenger-protocol.md 6.2).
func (cl *Client) HandleMatrixRoomName(context.Context, *bridgev2.MatrixRoomName) (bool, error) {
	return false, refusal(event.MessageStatusUnsupported, "the name in "+service+" stays as it is. "+textNoRosterChange, nil)
}

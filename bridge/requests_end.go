package bridge

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

// What becomes of a request's room once the request is decided: an ordinary chat's, or nobody's.

// settleRoom finds out which room there is of a request that was accepted while its room was being made; empty if there is
// none.
func (p *people) settleRoom(ctx context.Context, row database.Request) (room id.RoomID, err error) {
	if room, err = p.roomOf(ctx, row.JID); err == nil && room == "" {
		if room, err = p.findRequestRoom(ctx, row.JID); err == nil && room != "" {
			portal, err := p.cl.c.br.GetPortalByKey(ctx, portalKey(p.cl.login.ID, row.JID))
			if err != nil {
				return "", err
			}
			if room, err = p.adoptRoom(ctx, portal, room); err != nil {
				return "", err
			}
		}
	}
	if err != nil {
		return "", err
	}
	return room, p.setRoom(ctx, row, room)
}

// endMessageRequest tells clients with a special view of requests that the chat is an ordinary one now. That is done in the
// chat's turn: what the user writes there ends the request for the framework, too.
func (p *people) endMessageRequest(row database.Request) error {
	_, err := p.cl.c.inTurn(portalKey(p.cl.login.ID, row.JID), func(ctx context.Context, portal *bridgev2.Portal) error {
		if portal.MessageRequest {
			direct := bridgedb.RoomTypeDM
			portal.UpdateInfo(ctx, &bridgev2.ChatInfo{Type: &direct, MessageRequest: new(false)}, nil, nil, time.Time{})
		}
		return nil
	})
	return err
}

// closeRequestRoom removes the room of a request that came to nothing. A room in which there was a chat before the request
// stays.
func (p *people) closeRequestRoom(ctx context.Context, row database.Request) error {
	room := id.RoomID(row.RoomID)
	var err error
	if row.RoomID == database.RoomBeingMade {
		if room, err = p.roomOf(ctx, row.JID); err == nil && room == "" {
			room, err = p.findRequestRoom(ctx, row.JID)
		}
		if err != nil {
			return err
		}
	}
	ours := false
	if room != "" {
		if ours, err = p.isRequestRoom(ctx, room, row.JID); err != nil {
			return err
		}
	}
	if ours {
		// First the framework forgets the room, else the next event of the contact would invite the user into it again.
		// While the bot or the ghost is in the room, its mark can be read, so that a second try after a crash knows the room
		// as ours.
		portal, err := p.cl.c.br.GetPortalByMXID(ctx, room)
		if err == nil && portal != nil {
			err = portal.Delete(ctx)
		}
		if err != nil {
			return err
		}
		if err = p.emptyRoom(ctx, room, row.JID); err != nil {
			return err
		}
	}
	return p.setRoom(ctx, row, "")
}

// emptyRoom takes back the invite, and then the contact's ghost and the bot out of the room. An error means that it is to
// be tried again. One of ours may be out already, or the bot not yet in: whoever is there takes back the invite. A ghost
// that stayed would have the room found and used for the contact's next request.
func (p *people) emptyRoom(ctx context.Context, room id.RoomID, who string) error {
	ghost, bot := p.ghostIntent(who), p.cl.c.matrix.AS.BotIntent()
	for _, intent := range []*appservice.IntentAPI{bot, ghost} {
		err := p.takeBackInvite(ctx, intent, room)
		if staysInRoom(err) {
			return err
		}
		if err == nil {
			break
		}
	}
	for _, intent := range []*appservice.IntentAPI{ghost, bot} {
		if _, err := intent.LeaveRoom(ctx, room); staysInRoom(err) {
			return err
		}
	}
	if err := p.cl.c.matrix.StateStore.ClearCachedMembers(ctx, room); err != nil {
		p.cl.log.Warn().Err(err).Stringer("room_id", room).Msg("The members of a request's room could not be forgotten")
	}
	return nil
}

// takeBackInvite removes the user from a room, as somebody who is in it.
func (p *people) takeBackInvite(ctx context.Context, as *appservice.IntentAPI, room id.RoomID) error {
	var member event.MemberEventContent
	err := as.Client.StateEvent(ctx, room, event.StateMember, p.cl.login.UserMXID.String(), &member)
	if errors.Is(err, mautrix.MNotFound) {
		return nil // never was there
	}
	if err == nil && member.Membership.IsInviteOrJoin() {
		_, err = as.KickUser(ctx, room, &mautrix.ReqKickUser{UserID: p.cl.login.UserMXID, Reason: "The contact request is settled"})
	}
	return err
}

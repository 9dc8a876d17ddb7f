package bridge

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

const (
	noticeContactRemoved = "%s was removed from this room, but is still your contact in " + service + ": the next message brings them back, and what you write here still arrives. " +
		"To be rid of the room, leave it or use the command `delete-chat`. "
	noticeContactBanned = "%s was banned from this room, so it cannot show what they write, and is no longer connected to " + service + ". " +
		"They are still your contact: the next message, or the command `start-chat %s`, makes a new room. "
	noticeContactInvited = "%s was not added: a " + service + " chat has two persons. Use the command `start-chat %s` for a chat of your own with them."
	noticeRoomLetGo      = "You removed the bridge's bot from your room with %s, so that room is no longer connected to " + service + ". " +
		"The next message, or `start-chat %s`, makes a new one."
	noticeUpgradeFailed = "This room was replaced by another one that I cannot get into, so the chat stays here. To move it, invite me to the new room and upgrade again."
	reasonNoGroups      = service + " chats have two persons: invite contacts to direct chats only."
)

// memberMisuse looks at joins and leaves that the framework makes nothing of.
func (c *Connector) memberMisuse(ctx context.Context, evt *event.Event, portal *bridgev2.Portal) {
	target, content := id.UserID(evt.GetStateKey()), evt.Content.AsMember()
	contact, isGhost := c.br.Matrix.ParseGhostMXID(target)
	gone := content.Membership == event.MembershipLeave || content.Membership == event.MembershipBan
	client := c.owner(portal)
	var err error
	switch {
	case isGhost && content.Membership == event.MembershipInvite && (client != nil && string(contact) != string(portal.ID) || portal == nil && !content.IsDirect):
		err = c.declineFor(ctx, evt, target, client)
	case client == nil || !gone:
	case isGhost && string(contact) == string(portal.ID) && content.Membership == event.MembershipBan:
		c.reply(ctx, evt.RoomID, evt.ID, fmt.Sprintf(noticeContactBanned, client.people.name(ctx, string(contact)), contact))
		err = client.letGoAtLast(portal, evt)
	case isGhost && string(contact) == string(portal.ID):
		if wasJoined(evt) {
			name := client.people.name(ctx, string(contact))
			c.reply(ctx, evt.RoomID, evt.ID, fmt.Sprintf(noticeContactRemoved, name))
		}
	case target == c.br.Bot.GetMXID():
		err = client.botRemoved(ctx, portal, evt)
	case target == client.login.UserMXID:
		err = client.userLeft(ctx, portal, evt)
	}
	if err != nil {
		c.log.Err(err).Stringer("room_id", evt.RoomID).Str("membership", string(content.Membership)).Msg("A change of a room's members could not be followed")
	}
}

// wasJoined tells whether somebody who is gone now was in the room. Not all homeservers say.
func wasJoined(evt *event.Event) bool {
	if evt.Unsigned.PrevContent == nil {
		return true
	}
	before, _ := evt.Unsigned.PrevContent.Raw["membership"].(string)
	return before == string(event.MembershipJoin)
}

// declineFor declines an invite for a ghost, and says why where it was made.
func (c *Connector) declineFor(ctx context.Context, evt *event.Event, ghost id.UserID, client *Client) error {
	intent := c.asGhost(ghost)
	if err := intent.EnsureRegistered(ctx); err != nil {
		return err
	}
	if _, err := intent.LeaveRoom(ctx, evt.RoomID, &mautrix.ReqLeave{Reason: reasonNoGroups}); err != nil {
		return err
	}
	if client != nil {
		contact, _ := c.br.Matrix.ParseGhostMXID(ghost)
		c.reply(ctx, evt.RoomID, evt.ID, fmt.Sprintf(noticeContactInvited, client.people.name(ctx, string(contact)), contact))
	}
	return nil
}

// botRemoved lets go of the room that the bot was removed from, and tells the user when it was their doing. It is told first: once the room is let go, an event that is handled
// again after a crash finds no chat any more.
func (cl *Client) botRemoved(ctx context.Context, portal *bridgev2.Portal, evt *event.Event) error {
	if evt.Sender == cl.login.UserMXID {
		text := fmt.Sprintf(noticeRoomLetGo, cl.people.name(ctx, string(portal.ID)), portal.ID)
		cl.tellUser(withKey(ctx, "let go "+evt.ID.String()), text)
	}
	return cl.letGoAtLast(portal, evt)
}

// userLeft lets go of the room that the user left, or whose invite the user declined: nobody is to be called back into a room by a contact's typing, or find a new invite to it
// after every message. The room of a contact request is not ours to close here: leaving it is an answer to the request.
func (cl *Client) userLeft(ctx context.Context, portal *bridgev2.Portal, evt *event.Event) error {
	request, found, err := cl.c.db.Request.ByRoom(ctx, string(evt.RoomID))
	if err == nil && !found {
		// The framework knows a request's room a little earlier than the request does.
		if request, found, err = cl.c.db.Request.Get(ctx, cl.id(), string(portal.ID), database.RequestIn); request.RoomID != database.RoomBeingMade {
			found = false
		}
	}
	if err != nil || found && request.State != database.RequestAccepted && request.State != database.RequestAccepting {
		return err
	}
	return cl.letGoAtLast(portal, evt)
}

// letGo takes a chat's room away from it; the chat, its messages and what waits to be sent stay. The next message makes a new room. The bridge's own users leave the old one; the
// others are removed too unless puppetsOnly. An error means that the room is still the chat's, and that it may be tried again. All happens within the chat's turn, so that no message
// gets into the room that is given up; it may be done again after a crash.
func (cl *Client) letGo(portal *bridgev2.Portal, room id.RoomID, puppetsOnly bool) error {
	_, err := cl.c.inTurn(portal.PortalKey, func(ctx context.Context, portal *bridgev2.Portal) error {
		if portal.MXID != room {
			return nil // the chat has another room by now
		}
		// Rooms are let go last: what is written in one that still has us in it must find its chat.
		if err := cl.c.abandonRoom(ctx, portal, puppetsOnly); err != nil {
			return err
		}
		if err := portal.RemoveMXID(ctx); err != nil {
			return err
		}
		return cl.people.roomIsLost(ctx, room)
	})
	return err
}

// tombstoneMisuse speaks up when the framework did not follow a room to its replacement.
func (c *Connector) tombstoneMisuse(ctx context.Context, evt *event.Event, portal *bridgev2.Portal) {
	content, ok := evt.Content.Parsed.(*event.TombstoneEventContent)
	if ok && content.ReplacementRoom != "" && c.owner(portal) != nil {
		c.reply(ctx, evt.RoomID, evt.ID, noticeUpgradeFailed)
	}
}

// notManagement ends the use of a room as the place for talking to the bot once it is a chat's room: else what is written in it would be taken for commands. It comes about
// when the bot was alone with the user in a room that a chat then moved to.
func (c *Connector) notManagement(ctx context.Context, evt *event.Event) {
	if c.isOurDoing(evt) || c.portalOf(ctx, evt.RoomID) == nil {
		return
	}
	// The row is asked, not the framework's object: it writes that one's field without a lock when it joins a room with the user.
	row, err := c.br.DB.User.GetByMXID(ctx, evt.Sender)
	if err != nil || row == nil || row.ManagementRoom != evt.RoomID {
		return
	}
	user, err := c.br.GetExistingUserByMXID(ctx, evt.Sender)
	if err != nil || user == nil {
		return
	}
	user.ManagementRoom = ""
	if err = user.Save(ctx); err != nil {
		c.log.Err(err).Msg("A user could not be stored without management room")
	}
}

package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// leaveTimeout bounds one try at getting out of a room that nobody needs any more.
const leaveTimeout = 30 * time.Second

// abandonRoom takes the ghosts and the bot out of a chat's room, and the others, too, unless puppetsOnly. The framework's own way is silent about who could not be removed;
// here an error means that somebody is still there for a reason that passes, and that it is to be tried again. The bot, which removes the others, goes last. What the
// homeserver refuses for good is no reason to keep the room.
func (c *Connector) abandonRoom(ctx context.Context, portal *bridgev2.Portal, puppetsOnly bool) error {
	room := portal.MXID
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	bot := c.matrix.AS.BotIntent()
	members, err := bot.JoinedMembers(ctx, room)
	if staysInRoom(err) {
		return fmt.Errorf("who is in the room cannot be asked: %w", err)
	}
	ghosts := map[id.UserID]bool{}
	// A ghost may be all that is left there, or invited only: then nobody could tell.
	for _, known := range []networkid.UserID{userID(string(portal.ID)), userID(string(portal.Receiver))} {
		ghost := c.matrix.FormatGhostMXID(known)
		if member, err := c.matrix.StateStore.GetMembership(ctx, room, ghost); err != nil || member == event.MembershipJoin || member == event.MembershipInvite {
			ghosts[ghost] = true
		}
	}
	var others []id.UserID
	if err == nil {
		for member := range members.Joined {
			switch {
			case c.br.IsGhostMXID(member):
				ghosts[member] = true
			case member != bot.UserID && !puppetsOnly:
				others = append(others, member)
			}
		}
	}
	var failed []error
	for ghost := range ghosts {
		if _, err = c.asGhost(ghost).LeaveRoom(ctx, room); staysInRoom(err) {
			failed = append(failed, fmt.Errorf("a contact could not leave: %w", err))
		}
	}
	if len(failed) == 0 { // the user goes once the contact has: until then there must be somebody to tell that it has to be tried again
		for _, other := range others {
			if _, err = bot.KickUser(ctx, room, &mautrix.ReqKickUser{UserID: other, Reason: "The chat's room is deleted"}); staysInRoom(err) {
				failed = append(failed, fmt.Errorf("somebody could not be removed: %w", err))
			}
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if _, err = bot.LeaveRoom(ctx, room); staysInRoom(err) {
		return fmt.Errorf("the bot could not leave: %w", err)
	}
	if err = c.matrix.StateStore.ClearCachedMembers(ctx, room); err != nil {
		c.log.Warn().Err(err).Stringer("room_id", room).Msg("The members of a room that was left could not be forgotten")
	}
	return nil
}

// staysInRoom tells whether somebody is still in a room after this answer to their leaving, and may get out another time.
func staysInRoom(err error) bool { return err != nil && passing(err) && !notInRoom(err) }

// notInRoom tells whether the homeserver refuses because we are not there, which is as good as having left.
func notInRoom(err error) bool {
	var answer mautrix.HTTPError
	return errors.Is(err, mautrix.MForbidden) || errors.Is(err, mautrix.MNotFound) ||
		errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode == http.StatusForbidden
}

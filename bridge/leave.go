package bridge

import (
	"context"
	"errors"
	"net/http"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

const noticeChatLeft = "You have logged out of Messenger, so this chat is not connected any more. Its messages stay yours; leave the room when you do not need it."

// loginGoneWithin is how long the framework may take to remove a login after it has told us.
const loginGoneWithin = time.Minute

// forgetChats removes what the framework keeps of the chats of a login that is being logged out: the rows of chats and messages, and what is known of the rooms. The rooms stay
// the user's; the bot and the contacts leave them. Where the administrator has set what happens to rooms (cleanup_on_logout), that is done instead, by the
// framework.
func (c *Connector) forgetChats(login networkid.UserLoginID, space id.RoomID) {
	c.spawn(func(ctx context.Context) {
		// The framework removes its row after this login's LogoutRemote, which is where we are called from.
		for until := time.Now().Add(loginGoneWithin); ; {
			if gone, err := c.loginIsGone(ctx, login); err == nil && gone {
				break
			}
			if time.Now().After(until) || !sleep(ctx, 50*time.Millisecond) {
				return // the next start looks again
			}
		}
		if space != "" { // the framework removes the room itself
			if err := c.db.ForgetRoom(ctx, space.String(), string(login)); err != nil {
				c.log.Err(err).Msg("The space of somebody who logged out could not be forgotten")
			}
		}
		c.forgetLeftChats(ctx)
	})
}

func (c *Connector) loginIsGone(ctx context.Context, login networkid.UserLoginID) (bool, error) {
	row, err := c.br.DB.UserLogin.GetByID(ctx, login)
	return row == nil, err
}

// forgetLeftChats does so for every login that does not exist any more: also for those whose logout a crash has interrupted. It tries until it is done or the bridge stops.
func (c *Connector) forgetLeftChats(ctx context.Context) {
	if c.br.Config.CleanupOnLogout.Enabled {
		return
	}
	c.leaving.Lock()
	defer c.leaving.Unlock()
	for attempt := 1; ; attempt++ {
		chats, err := c.db.LeftChats(ctx, string(c.br.ID))
		for _, chat := range chats {
			if err == nil {
				err = c.forgetChat(ctx, chat)
			}
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		c.log.Warn().Err(err).Int("attempt", attempt).Msg("The chats of somebody who logged out could not be forgotten yet")
		if !sleep(ctx, backoff(attempt)) {
			return
		}
	}
}

// forgetChat leaves a chat's room and removes what is stored of both. It may be done again from the start.
func (c *Connector) forgetChat(ctx context.Context, chat database.LeftChat) error {
	key := networkid.PortalKey{ID: networkid.PortalID(chat.ID), Receiver: networkid.UserLoginID(chat.LoginID)}
	if gone, err := c.loginIsGone(ctx, key.Receiver); err != nil || !gone {
		return err // signed in again in the meantime: then the chats are needed
	}
	portal, err := c.br.GetExistingPortalByKey(ctx, key)
	if err != nil {
		return err
	}
	if portal != nil {
		if err = c.leaveChatRoom(ctx, portal); err != nil {
			return err
		}
		if err = portal.Delete(ctx); err != nil {
			return err
		}
	}
	return c.db.ForgetRoom(ctx, chat.RoomID, chat.ID)
}

// leaveChatRoom says goodbye in a chat's room and leaves it; an error means that it is to be tried again.
func (c *Connector) leaveChatRoom(ctx context.Context, portal *bridgev2.Portal) error {
	room := portal.MXID
	if room == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	content := &event.MessageEventContent{MsgType: event.MsgNotice, Body: noticeChatLeft, Mentions: &event.Mentions{}}
	_, err := c.br.Bot.SendMessage(stablesend.WithKey(ctx, "left "+room.String()), room, event.EventMessage, &event.Content{Parsed: content}, nil)
	if err != nil && passing(err) && !notInRoom(err) {
		return err
	}
	// A ghost may be all that is left there; the bot, which could tell, goes last.
	for _, ghost := range []networkid.UserID{userID(string(portal.ID)), userID(string(portal.Receiver))} {
		intent := c.matrix.AS.Intent(c.matrix.FormatGhostMXID(ghost))
		if member, err := c.matrix.StateStore.GetMembership(ctx, room, intent.UserID); err == nil && member != event.MembershipJoin && member != event.MembershipInvite {
			continue
		}
		if _, err = intent.LeaveRoom(ctx, room); err != nil && passing(err) && !notInRoom(err) {
			return err
		}
	}
	if err = c.br.Bot.DeleteRoom(ctx, id.RoomID(room), true); err != nil && passing(err) && !notInRoom(err) {
		return err
	}
	return nil
}

// notInRoom tells whether the homeserver refuses because we are not there, which is as good as having left.
func notInRoom(err error) bool {
	var answer mautrix.HTTPError
	return errors.Is(err, mautrix.MForbidden) || errors.Is(err, mautrix.MNotFound) ||
		errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode == http.StatusForbidden
}

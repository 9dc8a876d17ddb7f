package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

const noticeChatLeft = "You have logged out of " + service + ", so this chat is not connected any more. Its messages stay yours; leave the room when you do not need it."

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

// forgetLeftChats does so for every login that does not exist any more: also for those whose logout a crash has interrupted. It tries until it is done or the bridge stops. Where
// it is under way already, it makes that one look again at once, and returns.
func (c *Connector) forgetLeftChats(ctx context.Context) {
	select {
	case c.left <- struct{}{}:
	default:
	}
	for len(c.left) > 0 && ctx.Err() == nil && c.leaving.TryLock() {
		c.forgetUntilDone(ctx)
		c.leaving.Unlock()
	}
}

func (c *Connector) forgetUntilDone(ctx context.Context) {
	for attempt := 1; ; attempt++ {
		select {
		case <-c.left:
		default:
		}
		err := c.forgetAllLeft(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.log.Warn().Err(err).Int("attempt", attempt).Msg("The chats of somebody who logged out could not be forgotten yet")
		pause := time.NewTimer(backoff(attempt))
		select {
		case <-ctx.Done():
		case <-pause.C:
		case <-c.left: // somebody else has logged out, and does not wait for the trouble of others
		}
		pause.Stop()
	}
}

// forgetAllLeft goes through all chats there are: one that makes trouble does not hold up the others.
func (c *Connector) forgetAllLeft(ctx context.Context) error {
	// First what was not sent is noted as such: it is told before a room is left.
	if err := c.wipeLeft(ctx); err != nil || c.br.Config.CleanupOnLogout.Enabled {
		return err
	}
	chats, err := c.db.LeftChats(ctx, string(c.br.ID))
	if err != nil {
		return err
	}
	var first error
	failed := 0
	for _, chat := range chats {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err = c.forgetChat(ctx, chat); err != nil {
			failed++
			first = cmp.Or(first, err)
		}
	}
	if err = c.db.Outbox.DeleteLeft(ctx, string(c.br.ID)); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d chats, the first because: %w", failed, len(chats), first)
	}
	return nil
}

// forgetChat leaves a chat's room and removes what is stored of both. It may be done again from the start. Nobody signs in to the account meanwhile: a chat is either forgotten
// as a whole, or is there as it was for somebody who has come back. Messages of theirs would come in within the chat's turn.
func (c *Connector) forgetChat(ctx context.Context, chat database.LeftChat) error {
	key := networkid.PortalKey{ID: networkid.PortalID(chat.ID), Receiver: networkid.UserLoginID(chat.LoginID)}
	mute := false
	if chat.RoomID != "" { // what was not sent is told before there is nobody left to tell it
		err := c.tellRoom(ctx, chat.RoomID)
		if err != nil && troubleOf(err) != troubleUnclear {
			return fmt.Errorf("it cannot be told yet what was not sent: %w", err)
		} else if mute = err != nil; mute {
			c.log.Warn().Err(err).Str("room_id", chat.RoomID).Msg("It cannot be told what was not sent before a logout")
		}
	}
	defer c.accounts.WithLock(key.Receiver)()
	if gone, err := c.loginIsGone(ctx, key.Receiver); err != nil || !gone {
		return err
	}
	portal, err := c.br.GetExistingPortalByKey(ctx, key)
	if err != nil {
		return err
	}
	if portal == nil || portal.MXID == "" {
		return c.forgetRows(ctx, chat, portal)
	}
	ran, err := c.inTurn(key, func(_ context.Context, portal *bridgev2.Portal) error {
		// An event that was being handled at the logout has had its turn by now, and been refused.
		if untold, err := c.db.Outbox.UntoldRooms(ctx, chat.LoginID); err != nil || !mute && slices.Contains(untold, chat.RoomID) {
			return cmp.Or(err, errUntold)
		}
		if err := c.leaveChatRoom(ctx, portal); err != nil {
			return err
		}
		return c.forgetRows(ctx, chat, portal)
	})
	if !ran && err == nil {
		err = errRoomless
	}
	return err
}

// errUntold keeps a room for another try in which there is something to tell.
var errUntold = errors.New("there is something to tell in the room")

// errRoomless is the answer when a chat has lost its room on the way to its turn.
var errRoomless = errors.New("the chat has no room any more")

// forgetRows removes what is stored of a chat.
func (c *Connector) forgetRows(ctx context.Context, chat database.LeftChat, portal *bridgev2.Portal) error {
	if portal != nil {
		if err := portal.Delete(ctx); err != nil {
			return err
		}
	}
	return c.db.ForgetRoom(ctx, chat.RoomID, chat.ID)
}

// leaveChatRoom says goodbye in a chat's room and leaves it; an error means that it is to be tried again.
func (c *Connector) leaveChatRoom(ctx context.Context, portal *bridgev2.Portal) error {
	room := portal.MXID
	saying, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	content := &event.MessageEventContent{MsgType: event.MsgNotice, Body: noticeChatLeft, Mentions: &event.Mentions{}}
	_, err := c.br.Bot.SendMessage(stablesend.WithKey(saying, "left "+room.String()), room, event.EventMessage, &event.Content{Parsed: content}, nil)
	if staysInRoom(err) {
		return err
	}
	return c.abandonRoom(ctx, portal, true)
}

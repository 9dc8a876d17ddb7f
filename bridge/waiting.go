package bridge

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
	"matrix-messenger/xmppside"
)

// That messages wait for long is told in their chats: once, for as long as one of those that were told about is open. Whether
// a chat was told is stored with its messages, after the homeserver has taken the notice.

const (
	noticeWaiting      = "Your message has not reached " + service + " yet, because there is no connection at the moment. It will be sent by itself as soon as there is one. Use the command `status` to see why."
	noticeWaitingYou   = "Your message has not reached " + service + " yet. %problem After that it will be sent by itself."
	noticeWaitingStill = "Your message has not reached " + service + " yet, although there is a connection. The bridge keeps trying by itself, and tells you here if it gives up."
)

const (
	// waitingTimeout bounds the one try at one notice; the next round tries again.
	waitingTimeout = 10 * time.Second
	// waitingsAtOnce is how many chats are told at a time.
	waitingsAtOnce = 16
)

// tellWaiting tells the chats in which a message has been waiting since before the given time, each once. It returns within a
// round, so that a homeserver that does not answer holds up nothing else; the next one goes on with the chats that come
// after, so that those that cannot be told keep no others from their turn.
func (c *Connector) tellWaiting(ctx context.Context, before time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, overseeInterval)
	defer cancel()
	work := new(errgroup.Group)
	work.SetLimit(waitingsAtOnce)
	for ctx.Err() == nil {
		rows, err := c.db.Outbox.Overdue(ctx, before, c.waitingAfter, overseePage)
		if err != nil && ctx.Err() == nil {
			return errors.Join(err, work.Wait())
		}
		for _, row := range rows {
			work.Go(func() error { return c.tellChatWaits(ctx, row, before) }) // waits for its turn
			if ctx.Err() != nil {
				break
			}
			c.waitingAfter = row.Seq
		}
		if len(rows) < overseePage && ctx.Err() == nil {
			c.waitingAfter = 0
			break
		}
	}
	if err := work.Wait(); ctx.Err() == nil {
		return err
	}
	return nil // the time was over, and what failed then is no trouble of the database's
}

// tellChatWaits tells one chat, unless it was told already or the message has left meanwhile. An error is the database's.
func (c *Connector) tellChatWaits(ctx context.Context, row database.OutboxMessage, before time.Time) error {
	told, err := c.db.Outbox.IsNotified(ctx, row.LoginID, row.ChatID)
	if err != nil {
		return err
	}
	if !told {
		now, found, err := c.db.Outbox.ByStanzaID(ctx, row.LoginID, row.StanzaID)
		if err != nil || !found || now.State != database.OutboxQueued && now.State != database.OutboxWritten {
			return err
		}
		within, cancel := context.WithTimeout(stablesend.WithKey(ctx, "waiting "+row.LoginID+" "+row.StanzaID), waitingTimeout)
		defer cancel()
		err = c.sendNotice(within, id.RoomID(row.RoomID), id.EventID(row.EventID), c.inChat(c.whyWaiting(row.LoginID)))
		if err != nil {
			c.log.Warn().Err(err).Str("room_id", row.RoomID).Msg("A chat could not be told that messages wait")
			if passing(err) {
				return nil // the next round tries again
			}
		}
	}
	return c.db.Outbox.MarkNotified(ctx, row.LoginID, row.ChatID, before)
}

// whyWaiting is what a chat is told about messages that wait. Who has to do something is told what it is.
func (c *Connector) whyWaiting(login string) string {
	client := c.client(networkid.UserLoginID(login))
	if client == nil {
		return noticeWaiting
	}
	if client.session() != nil {
		return noticeWaitingStill
	}
	client.mu.Lock()
	problem := client.state.Problem
	client.mu.Unlock()
	if problem == nil {
		return noticeWaiting
	}
	switch problem.Action {
	case xmppside.Login, xmppside.TellUser, xmppside.TellAdmin, xmppside.RetryLongest:
		return strings.ReplaceAll(noticeWaitingYou, "%problem", problem.Text)
	}
	return noticeWaiting
}

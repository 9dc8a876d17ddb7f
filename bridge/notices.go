package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/format"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// Sentences that are stored with the messages they concern. The framework puts "Your message was not bridged: " before them.
const (
	noticeLoggedOut = "you logged out of " + service + " before it could be sent. Sign in again and send it once more if it still matters."
	noticeExpired   = "it could not be sent for too long and was given up. Send it again if it still matters."
	noticeUncertain = "the session ended while it was being sent, and " + service + " does not tell whether it arrived. Please ask, or send it again."
	noticeMalformed = service + " ended the connection over it, so it is not sent again. Please write it differently."
)

// notDelivered counts messages that were settled as not delivered, and has their senders told.
func (c *Connector) notDelivered(n int, result string) {
	c.metrics.messages.WithLabelValues(toMessenger, result).Add(float64(n))
	c.tellSoon()
}

// givenUp counts messages that were given up, apart from the others those of which nobody knows whether they arrived, and has
// their senders told.
func (c *Connector) givenUp(rows []database.OutboxMessage, result string) {
	if len(rows) == 0 {
		return
	}
	uncertain := 0
	for _, row := range rows {
		if row.State == database.OutboxWritten {
			uncertain++
		}
	}
	c.metrics.settledUncertain(outcomeReported, uncertain)
	c.notDelivered(len(rows), result)
}

// overseeQueues tells senders of messages that wait for long, gives up those that waited too long, and forgets what was settled long ago. It runs until
// the bridge stops.
func (c *Connector) overseeQueues(ctx context.Context) {
	ticker := time.NewTicker(overseePause(c.Config.Limits.TellWaiting.Of(), c.Config.Expire.Of()))
	defer ticker.Stop()
	for {
		if err := c.oversee(ctx, time.Now()); err != nil && ctx.Err() == nil {
			c.log.Err(err).Msg("The queues could not be looked through")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

const (
	// overseeInterval is the longest time between two looks at the queues, minOverseePause the shortest.
	overseeInterval = 20 * time.Second
	minOverseePause = time.Second
	overseePage     = 500
	// keepSettled is how long settled messages and handled events are remembered. It bounds how late a homeserver may repeat an event.
	keepSettled = 30 * 24 * time.Hour
)

// overseePause is the time between two looks at the queues: no longer than the shortest wait that is to be noticed.
func overseePause(waits ...time.Duration) time.Duration {
	return max(min(overseeInterval, slices.Min(waits)), minOverseePause)
}

func (c *Connector) oversee(ctx context.Context, now time.Time) error {
	expired, err := c.db.Outbox.Expire(ctx, now.Add(-c.Config.Expire.Of()), overseePage, database.GivenUp{Queued: noticeExpired, Written: noticeUncertain})
	if err != nil {
		return err
	}
	c.givenUp(expired, resultExpired)
	return errors.Join(
		ignoreCount(c.db.Outbox.PruneSettled(ctx, now.Add(-keepSettled))),
		ignoreCount(c.db.MatrixInbox.PruneHandled(ctx, now.Add(-keepSettled))),
		ignoreCount(c.db.MessengerInbox.PruneSetAside(ctx, now.Add(-keepSettled))),
		c.tellAsides(ctx),
		c.tellWaiting(ctx, now.Add(-c.Config.Limits.TellWaiting.Of())))
}

// reply sends a notice of the bot into a chat that relates to an event. About one event the same is said once, however often the event is handled.
func (c *Connector) reply(ctx context.Context, room id.RoomID, to id.EventID, text string) {
	if err := c.sendNotice(withKey(ctx, "reply "+to.String()+" "+text), room, to, c.inChat(text)); err != nil {
		c.log.Warn().Err(err).Stringer("room_id", room).Msg("A notice could not be sent")
	}
}

// sendNotice sends a notice of the bot; with an event it is a reply to it.
func (c *Connector) sendNotice(ctx context.Context, room id.RoomID, to id.EventID, text string) error {
	content := inMarkdown(event.MsgNotice, text)
	if to != "" {
		content.RelatesTo = (&event.RelatesTo{}).SetReplyTo(to)
	}
	_, err := c.br.Bot.SendMessage(ctx, room, event.EventMessage, &event.Content{Parsed: content}, nil)
	return err
}

// inMarkdown is a message that mentions nobody.
func inMarkdown(kind event.MessageType, text string) *event.MessageEventContent {
	content := format.RenderMarkdown(text, true, false)
	content.MsgType = kind
	content.Mentions = &event.Mentions{}
	return &content
}

// withKey makes sending something again the same event, as stablesend.WithKey does, for what nobody looks for before it is sent again: the library's own few tries are kept.
func withKey(ctx context.Context, key string) context.Context {
	return mautrix.WithMaxRetries(stablesend.WithKey(ctx, key), noticeRetries)
}

// noticeRetries is how often the library repeats a request.
const noticeRetries = 4

// tellUser writes a notice to the management room of the login's user. What keeps it from that is logged.
func (cl *Client) tellUser(ctx context.Context, text string) {
	room, err := cl.login.User.GetManagementRoom(ctx)
	if err != nil {
		cl.log.Warn().Err(err).Msg("There is no management room for a notice")
		return
	}
	if err = cl.c.sendNotice(ctx, room, "", text); err != nil {
		cl.log.Warn().Err(err).Stringer("room_id", room).Msg("A notice could not be sent")
	}
}

// tellSurely is tellUser for what nothing else would show: an error means that it is to be tried again. With the same key it is
// told once.
func (cl *Client) tellSurely(ctx context.Context, key, text string) error {
	return cl.tellSurelyAs(ctx, key, &event.Content{Parsed: inMarkdown(event.MsgNotice, text)})
}

// tellSurelyAs is tellSurely for what is more than a notice.
func (cl *Client) tellSurelyAs(ctx context.Context, key string, content *event.Content) error {
	within, cancel := context.WithTimeout(stablesend.WithKey(ctx, key), noticeTimeout)
	defer cancel()
	room, err := cl.login.User.GetManagementRoom(within)
	if err == nil {
		_, err = cl.c.br.Bot.SendMessage(within, room, event.EventMessage, content, nil)
	}
	if err != nil && troubleOf(err) == troublePasses {
		return fmt.Errorf("%w: %w", errNotTold, err)
	} else if err != nil {
		cl.log.Warn().Err(err).Stringer("room_id", room).Msg("A notice could not be sent")
	}
	return nil
}

// tellPoisoned reports an event that was set aside because handling it failed again and again.
func (c *Connector) tellPoisoned(ctx context.Context, evt *event.Event, reason string) {
	c.log.Error().Stringer("event_id", evt.ID).Stringer("room_id", evt.RoomID).Str("reason", reason).Msg("An event was set aside")
	sentence := "the bridge failed while handling it, several times, and has set it aside. Please tell your administrator; sending it in other words may help."
	state := bridgev2.WrapErrorInStatus(ownFault{errors.New(reason)}).WithStatus(event.MessageStatusFail).
		WithMessage(sentence).WithIsCertain(false).WithSendNotice(true)
	c.sendStatus(ctx, &state, bridgev2.StatusEventInfoFromEvent(evt))
}

func ignoreCount(_ int64, err error) error { return err }

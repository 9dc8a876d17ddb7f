package bridge

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// How a message ended is told to its sender, and that it was told is stored: the promise is kept or its breach is said, also when the bridge is killed between the two or the homeserver is away.
// One goroutine does it, so that a reason is told once and not once for each of a hundred messages, and a refusal that comes late is told after the success.

// tellSoon makes the goroutine look. It returns at once.
func (c *Connector) tellSoon() {
	select {
	case c.untold <- struct{}{}:
	default:
	}
}

// tellSenders tells what there is to tell, whenever it is asked to and at the start, until the bridge stops.
func (c *Connector) tellSenders(ctx context.Context) {
	for attempt := 0; ; {
		more, err := c.tellRound(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			attempt++
			c.log.Warn().Err(err).Int("attempt", attempt).Msg("Senders could not be told how their messages ended")
			if !sleep(ctx, backoff(attempt)) {
				return
			}
			continue
		}
		if attempt = 0; more {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-c.untold:
		}
	}
}

// tellNow tells everything there is to tell, for as long as it takes but not longer than the context.
func (c *Connector) tellNow(ctx context.Context) error {
	for {
		if more, err := c.tellRound(ctx); err != nil || !more {
			return err
		}
	}
}

// tellPage is how many messages are told about at a time.
const tellPage = 200

// tellRound tells about one page each of what was delivered and what was not.
func (c *Connector) tellRound(ctx context.Context) (more bool, err error) {
	c.telling.Lock()
	defer c.telling.Unlock()
	moreConfirmed, err := c.reportConfirmed(ctx)
	if err != nil {
		return false, err
	}
	moreFailed, err := c.tellFailed(ctx)
	return moreConfirmed || moreFailed, err
}

// tellFailed tells about one page of what was not delivered: of each event its state, and of each reason one notice a room.
func (c *Connector) tellFailed(ctx context.Context) (more bool, err error) {
	rows, err := c.db.Outbox.Untold(ctx, tellPage)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	type reason struct{ room, sentence string }
	var order []reason
	groups := map[reason][]database.OutboxMessage{}
	for _, row := range rows {
		key := reason{row.RoomID, row.Error}
		if len(groups[key]) == 0 {
			order = append(order, key)
		}
		groups[key] = append(groups[key], row)
	}
	for _, key := range order {
		group := groups[key]
		if err = c.tellGroup(ctx, group); err != nil && passing(err) {
			return false, err
		} else if err != nil {
			c.log.Warn().Err(err).Str("room_id", key.room).Msg("A room cannot be told that a message was not delivered")
		}
		if err = c.db.Outbox.MarkTold(ctx, seqs(group)...); err != nil {
			return false, err
		}
	}
	return len(rows) == tellPage, nil
}

// tellGroup tells about the messages of one room that were not delivered for one reason.
func (c *Connector) tellGroup(ctx context.Context, group []database.OutboxMessage) error {
	var visible *database.OutboxMessage
	seen := map[string]bool{}
	for i, row := range group {
		if seen[row.EventID] {
			continue
		}
		seen[row.EventID] = true
		told, err := c.isTold(ctx, row.EventID)
		if err != nil {
			return err
		}
		if told {
			continue // another part of it was refused before
		}
		if visible == nil {
			visible = &group[i]
		}
		if err = c.report(ctx, failure(row), statusInfo(row)); err != nil {
			return err
		}
	}
	if visible == nil || !c.matrix.Config.Matrix.MessageErrorNotices {
		return nil
	}
	state := failure(*visible)
	content := state.ToNoticeEvent(statusInfo(*visible))
	within, cancel := context.WithTimeout(stablesend.WithKey(ctx, "untold "+visible.LoginID+" "+visible.StanzaID), noticeTimeout)
	defer cancel()
	_, err := c.br.Bot.SendMessage(within, id.RoomID(visible.RoomID), event.EventMessage, &event.Content{Parsed: content}, nil)
	return err
}

// noticeTimeout bounds the sending of one notice.
const noticeTimeout = time.Minute

// isTold tells whether the sender was told about a part of the event already.
func (c *Connector) isTold(ctx context.Context, event string) (bool, error) {
	parts, err := c.db.Outbox.ByEvent(ctx, event)
	for _, part := range parts {
		if part.State != database.OutboxConfirmed && !part.ToldAt.IsZero() {
			return true, nil
		}
	}
	return false, err
}

// failure is the state of a message that was not delivered.
func failure(row database.OutboxMessage) bridgev2.MessageStatus {
	return bridgev2.WrapErrorInStatus(errors.New(row.Error)).
		WithStatus(event.MessageStatusFail).WithErrorReason(event.MessageStatusGenericError).
		WithMessage(row.Error).WithIsCertain(row.Error != noticeUncertain).WithSendNotice(false)
}

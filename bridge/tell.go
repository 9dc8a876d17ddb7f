package bridge

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// How a message ended is told to its sender, and that it was told is stored: the promise is kept or its breach is said, also when the bridge is killed between the two or the homeserver is away.
// One goroutine at a time does it for a room, so that a reason is told once and not once for each of a hundred messages, and a refusal that comes late is told after the success.

// tellSoon makes the goroutine look. It returns at once.
func (c *Connector) tellSoon() {
	select {
	case c.untold <- struct{}{}:
	default:
	}
}

// tellPage is how many messages of a room are told about at a time.
const tellPage = 200

// tellNow tells everything there is to tell to a login's user, again and again until it is told or the context ends.
func (c *Connector) tellNow(ctx context.Context, loginID string) error {
	for attempt := 1; ; attempt++ {
		rooms, err := c.db.Outbox.UntoldRooms(ctx, loginID)
		telling := new(errgroup.Group)
		telling.SetLimit(tellsAtOnce)
		for _, room := range rooms {
			telling.Go(func() error { return c.tellRoom(ctx, room) })
		}
		err = errors.Join(err, telling.Wait())
		if err == nil || !sleep(ctx, backoff(attempt)) {
			return err
		}
	}
}

// tellRoom tells in one room what was delivered and what was not.
func (c *Connector) tellRoom(ctx context.Context, room string) error {
	c.telling.Lock(room)
	defer c.telling.Unlock(room)
	for {
		moreConfirmed, err := c.reportConfirmed(ctx, room)
		moreFailed, failed := c.tellFailed(ctx, room)
		if err = errors.Join(err, failed); err != nil || !moreConfirmed && !moreFailed {
			return err
		}
	}
}

// tellFailed tells about one page of what was not delivered: of each event its state, and of each reason one notice.
func (c *Connector) tellFailed(ctx context.Context, room string) (more bool, err error) {
	rows, err := c.db.Outbox.Untold(ctx, room, tellPage)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	var order []string
	groups := map[string][]database.OutboxMessage{}
	for _, row := range rows {
		if len(groups[row.Error]) == 0 {
			order = append(order, row.Error)
		}
		groups[row.Error] = append(groups[row.Error], row)
	}
	for _, reason := range order {
		group := groups[reason]
		if err = c.tellGroup(ctx, group); err != nil && passing(err) {
			return false, err
		} else if err != nil {
			c.log.Warn().Err(err).Str("room_id", room).Msg("A room cannot be told that a message was not delivered")
		}
		if err = c.db.Outbox.MarkTold(ctx, database.Seqs(group)...); err != nil {
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
		if row.Kind == database.KindRefusal {
			if err = c.tellRefusal(ctx, row); err != nil {
				return err
			}
			continue
		}
		if visible == nil {
			visible = &group[i]
		}
		if err = c.report(ctx, c.failure(row), statusInfo(row)); err != nil {
			return err
		}
	}
	if visible == nil || !c.matrix.Config.Matrix.MessageErrorNotices {
		return nil
	}
	state := c.failure(*visible)
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
func (c *Connector) failure(row database.OutboxMessage) bridgev2.MessageStatus {
	return bridgev2.WrapErrorInStatus(errors.New(row.Error)).
		WithStatus(event.MessageStatusFail).WithErrorReason(event.MessageStatusGenericError).
		WithMessage(c.inChat(row.Error)).WithIsCertain(row.Error != noticeUncertain).WithSendNotice(false)
}

package bridge

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
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

// teller is the goroutine that tells. A room in which nothing can be told at the moment rests, and holds up no other.
type teller struct {
	c       *Connector
	mu      sync.Mutex
	resting map[string]rest // by room, only those where the last try failed
}

type rest struct {
	attempt int
	until   time.Time
}

// tellSenders tells what there is to tell, whenever it is asked to and at the start, until the bridge stops.
func (c *Connector) tellSenders(ctx context.Context) {
	t := &teller{c: c, resting: map[string]rest{}}
	for attempt := 0; ; {
		var pause <-chan time.Time
		if err := t.round(ctx); err != nil {
			attempt++
			c.log.Warn().Err(err).Int("attempt", attempt).Msg("It cannot be read whom to tell how a message ended")
			pause = time.After(backoff(attempt))
		} else if attempt = 0; len(t.resting) > 0 {
			pause = time.After(time.Until(t.next()))
		}
		select {
		case <-ctx.Done():
			return
		case <-c.untold:
		case <-pause:
		}
	}
}

// round tells in all rooms that do not rest, some at a time and in no order, so that none is always the last. An error is the database's.
func (t *teller) round(ctx context.Context) error {
	rooms, err := t.c.db.Outbox.UntoldRooms(ctx, "")
	if err != nil {
		return err
	}
	rand.Shuffle(len(rooms), func(i, j int) { rooms[i], rooms[j] = rooms[j], rooms[i] })
	waiting := make(map[string]bool, len(rooms))
	work, now := new(errgroup.Group), time.Now()
	work.SetLimit(tellsAtOnce)
	for _, room := range rooms {
		waiting[room] = true
		if !t.rests(room, now) {
			work.Go(func() error {
				t.note(ctx, room, t.c.tellRoom(ctx, room))
				return nil
			})
		}
	}
	err = work.Wait()
	maps.DeleteFunc(t.resting, func(room string, _ rest) bool { return !waiting[room] })
	return err
}

// rests tells whether a room is left alone for now.
func (t *teller) rests(room string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Before(t.resting[room].until)
}

// note remembers how a try ended.
func (t *teller) note(ctx context.Context, room string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil || ctx.Err() != nil {
		delete(t.resting, room)
		return
	}
	r := t.resting[room]
	r.attempt++
	r.until = time.Now().Add(backoff(r.attempt))
	t.resting[room] = r
	t.c.log.Warn().Err(err).Str("room_id", room).Int("attempt", r.attempt).Msg("Senders could not be told how their messages ended")
}

// next is when the first of the resting rooms is to be tried again.
func (t *teller) next() (first time.Time) {
	for _, r := range t.resting {
		if first.IsZero() || r.until.Before(first) {
			first = r.until
		}
	}
	return first
}

const (
	// tellPage is how many messages of a room are told about at a time.
	tellPage = 200
	// tellsAtOnce is how many rooms are told at a time.
	tellsAtOnce = 16
)

// tellNow tells everything there is to tell to a login's user, for as long as it takes but not longer than the context.
func (c *Connector) tellNow(ctx context.Context, loginID string) error {
	rooms, err := c.db.Outbox.UntoldRooms(ctx, loginID)
	for _, room := range rooms {
		err = errors.Join(err, c.tellRoom(ctx, room))
	}
	return err
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

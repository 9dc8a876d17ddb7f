package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

// handle brings one row to its end. It reports false when the inbox stopped before that was reached; the row is
// pending then.
func (in *Inbox) handle(row database.MatrixEvent) bool {
	evt, err := decode(row)
	if err != nil {
		return in.poison(row, evt, "the event cannot be decoded: "+err.Error(), true)
	}
	if row.Seq <= in.leftover {
		done, proceed := in.replay(row, evt)
		if !proceed {
			return done
		}
	}
	if !in.dispatch(evt) || in.ctx.Err() != nil || in.libraryEnded() {
		return false // a handler whose context ended has not handled its event
	}
	return in.settle(row)
}

// libraryEnded tells that the library has ended the context of its own handlers, which it does shortly before it
// stops the inbox.
func (in *Inbox) libraryEnded() bool {
	ctx := in.cfg.Connector.Bridge.BackgroundCtx
	return ctx != nil && ctx.Err() != nil
}

// replay looks at a row that an earlier run left behind. proceed is true when the event is to be dispatched; else
// done is handle's answer.
func (in *Inbox) replay(row database.MatrixEvent, evt *event.Event) (done, proceed bool) {
	stored := false
	ok := in.persist("look for a message", func(ctx context.Context) (err error) {
		stored, err = in.alreadyHandled(ctx, evt)
		return err
	})
	if !ok {
		return false, false
	}
	if stored {
		return in.settle(row), false
	}
	// The count is committed before the event is dispatched, so that an event which ends the process is counted too.
	var attempts int
	ok = in.persist("count an attempt", func(ctx context.Context) (err error) {
		attempts, err = in.cfg.DB.MatrixInbox.CountAttempt(ctx, row.Seq)
		return err
	})
	if !ok {
		return false, false
	}
	if attempts > in.cfg.MaxAttempts {
		// One further attempt is for telling; if that ends the process too, the event goes silently.
		reason := fmt.Sprintf("the bridge ended %d times while handling the event", attempts-1)
		return in.poison(row, evt, reason, attempts == in.cfg.MaxAttempts+1), false
	}
	return false, true
}

// alreadyHandled reports whether a message is known to have been handled: bridgev2 stores it after its handler
// succeeded, and a refusal is stored before the handler returns, so that what was told stays true although the key
// comes later. An encrypted event may not be decryptable twice, so that for it the outbox counts as well.
func (in *Inbox) alreadyHandled(ctx context.Context, evt *event.Event) (bool, error) {
	stored, err := in.cfg.Connector.Bridge.DB.Message.GetPartByMXID(ctx, evt.ID)
	if err != nil || stored != nil {
		return stored != nil, err
	}
	rows, err := in.cfg.DB.Outbox.ByEvent(ctx, evt.ID.String())
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return evt.Type == event.EventEncrypted || rows[0].Kind == database.KindRefusal, nil
}

// dispatch does what the library does with an event of a transaction; its handlers run in this goroutine. It reports
// false when the inbox stopped while the event's key was waited for.
func (in *Inbox) dispatch(evt *event.Event) bool {
	_ = in.parseContent(evt) // the library handles what it cannot parse, too
	ctx := in.cfg.Log.With().Stringer("event_id", evt.ID).Stringer("room_id", evt.RoomID).Logger().WithContext(in.ctx)
	if evt.Type.IsState() {
		mautrix.UpdateStateStore(ctx, in.as.StateStore, evt)
	}
	clear, err := in.read(ctx, evt)
	var unreadable *unreadableError
	switch {
	case errors.As(err, &unreadable):
		in.cfg.Log.Warn().Err(err).Stringer("event_id", evt.ID).Stringer("room_id", evt.RoomID).Str("reason", string(unreadable.why)).Msg("An event could not be read")
		if in.cfg.OnUnreadable != nil {
			in.cfg.OnUnreadable(ctx, evt, unreadable.why, err)
		}
		return true
	case err != nil:
		return false
	case clear != nil:
		ctx = withClear(ctx, clear)
	}
	in.cfg.Connector.EventProcessor.Dispatch(ctx, evt)
	return true
}

func (in *Inbox) settle(row database.MatrixEvent) bool {
	ok := in.persist("mark an event as handled", func(ctx context.Context) error {
		return in.cfg.DB.MatrixInbox.MarkHandled(ctx, row.Seq)
	})
	if ok {
		in.pending.Add(-1)
	}
	return ok
}

// poison sets an event aside, after telling of it.
func (in *Inbox) poison(row database.MatrixEvent, evt *event.Event, reason string, tell bool) bool {
	in.cfg.Log.Error().Str("event_id", row.EventID).Str("room_id", row.RoomID).Str("reason", reason).Msg("An event was given up and set aside")
	if tell && in.cfg.OnPoisoned != nil {
		in.cfg.OnPoisoned(in.ctx, evt, reason)
	}
	ok := in.persist("set an event aside", func(ctx context.Context) error {
		return in.cfg.DB.MatrixInbox.Poison(ctx, row.Seq, reason)
	})
	if ok {
		in.pending.Add(-1)
	}
	return ok
}

// decode makes the library's event of a row. With an error, the event has its ID and room only.
func decode(row database.MatrixEvent) (*event.Event, error) {
	var evt event.Event
	if err := json.Unmarshal(row.Body, &evt); err != nil {
		return &event.Event{ID: id.EventID(row.EventID), RoomID: id.RoomID(row.RoomID)}, err
	}
	evt.ID, evt.RoomID = id.EventID(row.EventID), id.RoomID(row.RoomID)
	evt.Mautrix.ReceivedAt = row.ReceivedAt
	if row.ReceivedAt.IsZero() {
		evt.Mautrix.ReceivedAt = time.Now()
	}
	if evt.StateKey != nil {
		evt.Mautrix.EventSource = event.SourceTimeline & event.SourceJoin // as the library has it
		evt.Type.Class = event.StateEventType
	} else {
		evt.Mautrix.EventSource = event.SourceTimeline
		evt.Type.Class = event.MessageEventType
	}
	return &evt, nil
}

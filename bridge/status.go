package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// What clients are told about an event that is in the outbox is told by the outbox alone: pending before it is stored, and how it ended once that is known. The framework
// would report success as soon as a handler returns.

// statusGate stands before the framework's Matrix side and lets no status through that is the outbox's to tell.
type statusGate struct {
	*matrix.Connector
	c *Connector
}

// What the framework looks for by type has to stay visible.
var (
	_ bridgev2.MatrixConnector                           = (*statusGate)(nil)
	_ bridgev2.MatrixConnectorWithServer                 = (*statusGate)(nil)
	_ bridgev2.MatrixConnectorWithArbitraryRoomState     = (*statusGate)(nil)
	_ bridgev2.MatrixConnectorWithPostRoomBridgeHandling = (*statusGate)(nil)
	_ bridgev2.MatrixConnectorWithPublicMedia            = (*statusGate)(nil)
	_ bridgev2.MatrixConnectorWithNameDisambiguation     = (*statusGate)(nil)
	_ bridgev2.MatrixConnectorWithURLPreviews            = (*statusGate)(nil)
	_ bridgev2.MatrixConnectorWithAnalytics              = (*statusGate)(nil)
)

// SendMessageStatus implements bridgev2.MatrixConnector.
func (g *statusGate) SendMessageStatus(ctx context.Context, state *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	g.c.sendStatus(ctx, state, info)
}

// sendStatus tells the state of an event that is not in the outbox. A refusal is stored before it returns, so that it is told whatever happens then. Everything else is given to the
// framework, which sends it in the background: what called for it, such as a worker that has nothing left to do, may be over before that.
func (c *Connector) sendStatus(ctx context.Context, state *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	again := ctx.Err() != nil // an event whose handler was ended is handled once more
	ctx = withKey(context.WithoutCancel(ctx), "status "+string(state.Status)+" "+string(info.SourceEventID))
	if info.SourceEventID != "" {
		known, err := c.db.Outbox.ByEvent(ctx, string(info.SourceEventID))
		switch {
		case err != nil && state.Status == event.MessageStatusSuccess:
			c.log.Err(err).Stringer("event_id", info.SourceEventID).Msg("It cannot be read whether an event waits to be sent, so it is not reported as sent")
			return
		case len(known) > 0:
			return
		}
	}
	if errors.Is(state.InternalError, bridgev2.ErrNotLoggedIn) && strings.HasPrefix(state.Message, "You're not logged in") {
		ours := state.WithMessage(c.notSignedIn(ctx, info))
		state = &ours
	}
	if said := c.inChat(state.Message); said != state.Message {
		ours := state.WithMessage(said)
		state = &ours
	}
	if !again && c.storeRefusal(ctx, state, info) {
		return
	}
	c.matrix.SendMessageStatus(ctx, state, info)
}

// notSignedIn says why somebody cannot write in a chat, where the framework speaks of its own parts.
func (c *Connector) notSignedIn(ctx context.Context, info *bridgev2.MessageStatusEventInfo) string {
	client := c.owner(c.portalOf(ctx, info.RoomID))
	switch {
	case client == nil || info.Sender == client.login.UserMXID:
		return "you are not signed in to " + service + ". Sign in with the command `login`, and send it once more."
	case c.br.Config.Relay.Enabled:
		return fmt.Sprintf("this is a chat of %s with one contact, and you can read it but not write to the contact. They can let you write through their account with the command `set-relay`.", client.login.UserMXID)
	}
	return fmt.Sprintf("this is a chat of %s with one contact, and you can read it but not write to the contact. It would take the administrator to allow that (`relay` in the configuration).", client.login.UserMXID)
}

// reportsStates tells whether anybody wants to know how messages fare that do get through.
func (c *Connector) reportsStates() bool {
	settings := c.matrix.Config
	return settings.Matrix.MessageStatusEvents || settings.Matrix.DeliveryReceipts || settings.Homeserver.MessageSendCheckpointEndpoint != ""
}

// statusTimeout bounds how long the homeserver may take for one status.
const statusTimeout = time.Minute

// report tells the state of an event in the outbox and returns when the homeserver has it. It may be called again with the same state: the status event is the same
// then. An error means that it is worth another try; what the homeserver refuses for good is logged.
func (c *Connector) report(ctx context.Context, state bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) error {
	settings := c.matrix.Config
	ctx, cancel := context.WithTimeout(stablesend.WithKey(ctx, "status "+string(state.Status)+" "+string(info.SourceEventID)), statusTimeout)
	defer cancel()
	var err error
	if settings.Matrix.MessageStatusEvents {
		_, err = c.matrix.Bot.SendMessageEvent(ctx, info.RoomID, event.BeeperMessageStatus, state.ToMSSEvent(info))
	}
	if err == nil && settings.Matrix.DeliveryReceipts && state.Status == event.MessageStatusSuccess {
		err = c.matrix.Bot.SendReceipt(ctx, info.RoomID, info.SourceEventID, event.ReceiptTypeRead, nil)
	}
	if err != nil && passing(err) {
		return err
	} else if err != nil {
		c.log.Warn().Err(err).Stringer("room_id", info.RoomID).Stringer("event_id", info.SourceEventID).Msg("The homeserver refuses the status of a message")
	}
	// A checkpoint is a measurement for the homeserver's people: one that cannot be delivered holds nothing up.
	if err = c.matrix.SendMessageCheckpoints(ctx, []*status.MessageCheckpoint{state.ToCheckpoint(info)}); err != nil {
		c.log.Warn().Err(err).Msg("A checkpoint could not be sent")
	}
	return nil
}

const (
	// pendingTimeout bounds how long the homeserver is waited for with a status that the next one replaces anyway.
	pendingTimeout = 5 * time.Second
	// pendingRest is how long no such status is sent after one took that long: messages must not wait for them one after the other.
	pendingRest = 30 * time.Second
)

// reportPending tells clients that show message states that the event waits; how it ends follows. It is sent before the event can go anywhere, so that it is never the
// last word. An event that comes a second time may have ended already, and is left as it is.
func (cl *Client) reportPending(ctx context.Context, evt *event.Event) error {
	settings := cl.c.matrix.Config
	if !settings.Matrix.MessageStatusEvents && settings.Homeserver.MessageSendCheckpointEndpoint == "" || time.Now().UnixNano() < cl.c.pendingAgain.Load() {
		return nil
	}
	known, err := cl.c.db.Outbox.ByEvent(ctx, string(evt.ID))
	if err != nil || len(known) > 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pendingTimeout)
	defer cancel()
	if err = cl.c.report(ctx, bridgev2.MessageStatus{Status: event.MessageStatusPending}, bridgev2.StatusEventInfoFromEvent(evt)); err != nil {
		cl.log.Debug().Err(err).Msg("Nobody could be told that a message waits")
	}
	if ctx.Err() != nil {
		cl.c.pendingAgain.Store(time.Now().Add(pendingRest).UnixNano())
	}
	return nil
}

// reportConfirmed reports a page of a room's events whose stanzas the service has all taken, in order, since a receipt stands for all before it. That they were reported
// is stored with them, so that a crash loses no report. When one cannot be reported, those before it are done with.
func (c *Connector) reportConfirmed(ctx context.Context, room string) (more bool, err error) {
	rows, err := c.db.Outbox.Unreported(ctx, room, tellPage)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	done := 0
	for ; done < len(rows); done++ {
		row := rows[done]
		if row.Part != row.Parts-1 {
			continue // the last part stands for the event
		}
		var whole bool
		if whole, err = c.isWholeConfirmed(ctx, row); whole {
			err = c.report(ctx, bridgev2.MessageStatus{Status: event.MessageStatusSuccess}, statusInfo(row))
		}
		if err != nil {
			break
		}
	}
	return len(rows) == tellPage, errors.Join(err, c.db.Outbox.MarkReported(context.WithoutCancel(ctx), database.Seqs(rows[:done])...))
}

// isWholeConfirmed tells whether no part of an event was refused.
func (c *Connector) isWholeConfirmed(ctx context.Context, row database.OutboxMessage) (bool, error) {
	if row.Parts == 1 {
		return true, nil
	}
	parts, err := c.db.Outbox.ByEvent(ctx, row.EventID)
	for _, part := range parts {
		if part.State != database.OutboxConfirmed {
			return false, err
		}
	}
	return err == nil, err
}

// statusInfo is what the framework needs to know of an event whose row is all that is left.
func statusInfo(row database.OutboxMessage) *bridgev2.MessageStatusEventInfo {
	return &bridgev2.MessageStatusEventInfo{
		RoomID:        id.RoomID(row.RoomID),
		SourceEventID: id.EventID(row.EventID),
		EventType:     event.NewEventType(row.EventType),
		MessageType:   event.MessageType(row.MsgType),
		Sender:        id.UserID(row.SenderMXID),
	}
}

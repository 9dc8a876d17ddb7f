package bridge

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/database"
)

// HandleMatrixMessage implements bridgev2.NetworkAPI. It touches no network: the message is stored in the outbox, and the row there is the proof that the event is
// handled. It may be called again with the same event (after a crash, or because the homeserver repeats it), which changes nothing.
//
// The answer says Pending although nothing is kept in memory: it is the framework's way of neither storing the message itself nor telling the sender that it was
// sent. Both happen here and at the confirmation, when they are true.
func (cl *Client) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	text, kind, err := cl.messageText(ctx, msg)
	if err != nil {
		return nil, err
	}
	if err = cl.submit(ctx, submission{
		portal: msg.Portal, event: msg.Event, msgType: msg.Content.MsgType, text: text, kind: kind, replyTo: msg.ReplyTo, save: true,
	}); err != nil {
		return nil, err
	}
	return &bridgev2.MatrixMessageResponse{Pending: true}, nil
}

// submission is one Matrix event on its way into the outbox.
type submission struct {
	portal  *bridgev2.Portal
	event   *event.Event
	msgType event.MessageType
	text    string
	kind    database.OutboxKind
	replyTo *bridgedb.Message
	save    bool // store it among the framework's messages, so that it can be replied to, edited and redacted
}

// submit splits the text into stanzas and stores them, together with the framework's row of the message, in one transaction.
func (cl *Client) submit(ctx context.Context, s submission) error {
	parts := cl.c.service.Profile().Split(s.text)
	if len(parts) == 0 {
		return errNothingToSend
	}
	received := s.event.Mautrix.ReceivedAt
	if received.IsZero() {
		received = time.Now()
	}
	rows := make([]database.OutboxMessage, len(parts))
	for i, part := range parts {
		rows[i] = database.OutboxMessage{
			LoginID: cl.id(), ChatID: string(s.portal.ID), EventID: string(s.event.ID), Part: i, Parts: len(parts),
			StanzaID: stanzaID(s.event.ID, i), RoomID: string(s.event.RoomID), EventType: s.event.Type.Type,
			SenderMXID: string(s.event.Sender), MsgType: string(s.msgType), Kind: s.kind, Body: []byte(part), ReceivedAt: received,
		}
	}
	gone := false
	err := cl.patiently(ctx, func() (err error) {
		gone, err = cl.storeOutgoing(ctx, s, rows)
		return err
	})
	if err != nil {
		return errStorage(err)
	} else if gone {
		return errLoggedOut
	}
	cl.outbox.kick()
	return nil
}

// storeOutgoing stores an event unless its account is gone, which is looked at in the transaction: what is stored by then is
// given up by the logout, and nothing comes after that. It may be called again after any error.
func (cl *Client) storeOutgoing(ctx context.Context, s submission, rows []database.OutboxMessage) (gone bool, err error) {
	if err = cl.ensureOwnGhost(ctx); err != nil {
		return false, err
	}
	if err = cl.reportPending(ctx, s.event); err != nil {
		return false, err
	}
	err = cl.c.db.Write(ctx, func(ctx context.Context) error {
		if gone = !cl.IsLoggedIn(); gone {
			return nil
		}
		inserted, err := cl.c.db.Outbox.Enqueue(ctx, rows)
		if err != nil || !inserted || !s.save {
			return err
		}
		return cl.c.br.DB.Message.Insert(ctx, cl.messageRow(s))
	})
	return gone, err
}

// storagePatience is how long a message waits for a database that cannot be written, such as one on a full disk, before its sender is told. It holds up its own room.
const storagePatience = 2 * time.Minute

// patiently repeats what failed with the database until it succeeds, the patience is at its end, or the bridge stops.
func (cl *Client) patiently(ctx context.Context, store func() error) error {
	deadline := time.Now().Add(storagePatience)
	for attempt := 1; ; attempt++ {
		err := store()
		if err == nil || ctx.Err() != nil {
			return err
		}
		pause := min(backoff(attempt), 5*time.Second)
		if time.Now().Add(pause).After(deadline) || !sleep(ctx, pause) {
			return err
		}
		cl.log.Warn().Err(err).Int("attempt", attempt).Msg("A message could not be stored and is tried again")
	}
}

// messageRow is the framework's row of a message that a Matrix user wrote.
func (cl *Client) messageRow(s submission) *bridgedb.Message {
	row := &bridgedb.Message{
		ID:         messageID(s.event.ID),
		MXID:       s.event.ID,
		Room:       s.portal.PortalKey,
		SenderID:   cl.GetUserID(),
		SenderMXID: s.event.Sender,
		Timestamp:  time.UnixMilli(s.event.Timestamp),
	}
	if s.replyTo != nil {
		row.ReplyTo.MessageID = s.replyTo.ID
		row.ReplyTo.PartID = &s.replyTo.PartID
	}
	return row
}

// ensureOwnGhost makes the ghost of the account itself, which the framework's table of messages refers to.
func (cl *Client) ensureOwnGhost(ctx context.Context) error {
	_, err := cl.c.br.GetGhostByID(ctx, cl.GetUserID())
	return err
}

// refusal is an error whose sentence is shown to the sender in the room.
func refusal(reason event.MessageStatusReason, sentence string, cause error) error {
	if cause == nil {
		cause = errors.New(sentence)
	}
	return bridgev2.WrapErrorInStatus(cause).
		WithErrorReason(reason).WithStatus(event.MessageStatusFail).
		WithMessage(sentence).WithIsCertain(true).WithSendNotice(true)
}

var errNothingToSend = refusal(event.MessageStatusUnsupported, "it has no text that "+service+" could show. Please write it in words.", nil)

// errLoggedOut refuses an event that was on its way into the outbox when its account was logged out.
var errLoggedOut = refusal(event.MessageStatusNoPermission, noticeLoggedOut, nil)

func errStorage(cause error) error {
	return refusal(event.MessageStatusGenericError, "the bridge could not store it. Please send it again in a minute, and tell your administrator if it keeps happening.", ownFault{cause})
}

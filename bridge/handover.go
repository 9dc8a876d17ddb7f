package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// maxRefusals is how often a row is tried that the homeserver refuses (see troubleOf) before it is set aside. With
// maxUnclear it bounds how long one message can hold up its own chat; it never holds up another one.
const maxRefusals = 4

// handOver gives one row to its room. It returns nil when the row is done with, whether it is in the room or set aside. The
// tries are those of this row; a further one is counted.
func (in *inbound) handOver(ctx context.Context, row database.Incoming, tries *tries) error {
	var what incoming
	if err := json.Unmarshal(row.Body, &what); err != nil {
		return in.setAside(ctx, row, fmt.Errorf("the stored row is damaged: %w", err))
	}
	if what.Tried || wasAside(row) || in.wasTried(row) {
		// An earlier try may have reached the homeserver without us having learned of it.
		found, err := in.lookPatiently(ctx, row, what)
		switch {
		case found:
			return in.done(ctx, row, what)
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil:
			if tries.count(err); !tries.isHopeless(err) {
				return err
			}
			// The homeserver does not show the room and will not: what it says to the message decides.
			in.cl.log.Warn().Err(err).Int64("row", row.Seq).Msg("It cannot be seen whether a message is in its room already")
		}
	}
	in.begin(row)
	err := in.send(ctx, row, what)
	if err == nil {
		return in.done(ctx, row, what)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	tries.count(err)
	in.cl.log.Warn().Err(err).Int64("row", row.Seq).Int("attempt", tries.failed+1).Msg("A message could not be handed to its room")
	if errors.Is(err, errNoRoomAllowed) || tries.isHopeless(err) && (troubleOf(err) == troubleRefused || in.cl.c.isSound(ctx)) {
		return in.setAside(ctx, row, err)
	}
	return err
}

// send makes the row an event of its room, which is made if need be.
func (in *inbound) send(ctx context.Context, row database.Incoming, what incoming) error {
	key := portalKey(in.cl.login.ID, row.ChatID)
	if err := in.cl.departFirst(ctx, row.ChatID); err != nil {
		return err
	}
	if row.Kind == kindNotice {
		return in.sendNotice(ctx, row, what)
	}
	if err := in.ensureRoom(ctx, key); err != nil {
		return err
	}
	return outcome(in.cl.login.QueueRemoteEvent(&simplevent.Message[incoming]{
		EventMeta: simplevent.EventMeta{
			Type:              bridgev2.RemoteEventMessage,
			LogContext:        func(c zerolog.Context) zerolog.Context { return c.Int64("row", row.Seq) },
			PortalKey:         key,
			Sender:            in.cl.sender(row.Kind, what.From),
			CreatePortal:      true,
			Timestamp:         what.Time,
			MutateContextFunc: func(ctx context.Context) context.Context { return stablesend.WithKey(ctx, row.DedupeKey) },
		},
		Data:               what,
		ID:                 networkid.MessageID(row.DedupeKey),
		ConvertMessageFunc: in.convert,
	}))
}

// convert makes exactly one part of a message: the framework cannot repeat a message of which it has sent a part.
func (in *inbound) convert(_ context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, what incoming) (*bridgev2.ConvertedMessage, error) {
	return &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
		Type:    event.EventMessage,
		Content: in.cl.toMatrix(what.Text),
	}}}, nil
}

// done removes a row that is in its room and remembers the message for the matching with the archive.
func (in *inbound) done(ctx context.Context, row database.Incoming, what incoming) error {
	isNoticed, forgotten := in.asides.has(row.ChatID), false
	// What was set aside is in the log at the place where it was said, or so long ago that it is not compared any more.
	isLogged := row.Kind != kindNotice && !wasAside(row)
	err := in.end(ctx, row, isLogged, what, func(ctx context.Context) (err error) {
		if isNoticed { // something gets into the room again
			if forgotten, err = in.cl.c.db.Aside.Forget(ctx, in.cl.id(), row.ChatID); err != nil {
				return err
			}
		}
		return in.cl.c.db.MessengerInbox.Delete(ctx, row.Seq)
	})
	if err != nil {
		return err
	}
	if forgotten {
		in.asides.set(row.ChatID, false)
	}
	if row.Kind != kindNotice {
		in.cl.c.metrics.handedOver(row.ReceivedAt)
	}
	if what.Read {
		in.cl.markRead(ctx, row)
	}
	return nil
}

// end stores what became of a row, in one transaction with the message's entry in the log. An entry that the database does
// not take is given up: the archive may bring the message once more, but its chat goes on.
func (in *inbound) end(ctx context.Context, row database.Incoming, isLogged bool, what incoming, store func(context.Context) error) error {
	write := func(isLogged bool) error {
		return in.cl.c.db.Write(ctx, func(ctx context.Context) error {
			if isLogged {
				if err := in.cl.logIncoming(ctx, row, what); err != nil {
					return err
				}
			}
			return store(ctx)
		})
	}
	err := write(isLogged)
	if err != nil && isLogged && troubleOf(err) == troubleUnclear {
		in.cl.log.Err(err).Int64("row", row.Seq).Msg("A message cannot be remembered for the comparison with the archive")
		err = write(false)
	}
	if err == nil {
		in.forget(row)
	}
	return err
}

// lateEffect is how long after its start a homeserver may still store what it was sent before its end: Dendrite takes an event into a queue on disk, and works that off when it is
// back, with no memory of who sent it.
const lateEffect = 2 * time.Second

// lookPatiently looks whether a row is in its room already, and of the one row of a chat that was on its way at a break looks again a moment later.
func (in *inbound) lookPatiently(ctx context.Context, row database.Incoming, what incoming) (bool, error) {
	found, err := in.lookBefore(ctx, row, what)
	if err != nil || found || !in.inFlight(row) {
		return found, err
	}
	if !sleep(ctx, lateEffect) {
		return false, ctx.Err()
	}
	return in.lookBefore(ctx, row, what)
}

// lookBefore looks among the room's newest events for one that carries the row's key. When it is there, the framework's row of it is made up for.
func (in *inbound) lookBefore(ctx context.Context, row database.Incoming, what incoming) (bool, error) {
	portal, err := in.cl.c.br.GetExistingPortalByKey(ctx, portalKey(in.cl.login.ID, row.ChatID))
	if err != nil || portal == nil || portal.MXID == "" {
		return false, err
	}
	event, found, err := stablesend.Find(ctx, in.cl.c.matrix.AS.BotClient(), portal.MXID, row.DedupeKey)
	if err != nil || !found {
		return false, err
	}
	if row.Kind == kindNotice {
		return true, nil
	}
	stored, err := in.cl.c.br.DB.Message.GetPartByMXID(ctx, event)
	if err != nil || stored != nil {
		return err == nil, err
	}
	if err = in.adopt(ctx, portal, row, what, event); err != nil && troubleOf(err) == troubleUnclear {
		// It is in the room all the same; what the framework does not know cannot be replied to, and no more.
		in.cl.log.Err(err).Stringer("event_id", event).Msg("A message that is in its room already cannot be stored as such")
		err = nil
	}
	return err == nil, err
}

// adopt stores the framework's row of a message that is in the room already.
func (in *inbound) adopt(ctx context.Context, portal *bridgev2.Portal, row database.Incoming, what incoming, mxid id.EventID) error {
	sender := in.cl.sender(row.Kind, what.From)
	ghost, err := in.cl.c.br.GetGhostByID(ctx, sender.Sender)
	if err != nil {
		return err
	}
	message := &bridgedb.Message{
		ID: networkid.MessageID(row.DedupeKey), MXID: mxid, Room: portal.PortalKey,
		SenderID: sender.Sender, SenderMXID: ghost.Intent.GetMXID(), Timestamp: what.Time,
	}
	return in.cl.c.br.DB.Message.Insert(ctx, message)
}

// sendNotice writes a sentence of the bridge at its place in a chat.
func (in *inbound) sendNotice(ctx context.Context, row database.Incoming, what incoming) error {
	room, err := in.cl.people.roomOf(ctx, row.ChatID)
	if err != nil || room == "" {
		return err // without a room nobody misses the sentence
	}
	content := event.MessageEventContent{MsgType: event.MsgNotice, Body: in.cl.c.inChat(what.Text), Mentions: &event.Mentions{}}
	_, err = in.cl.c.br.Bot.SendMessage(stablesend.WithKey(ctx, row.DedupeKey), room, event.EventMessage, &event.Content{Parsed: &content}, nil)
	return err
}

// ensureRoom makes the room of a chat before its first message, outside of the message's own handling: a room that cannot be made is a different trouble than a
// message that cannot be sent.
func (in *inbound) ensureRoom(ctx context.Context, key networkid.PortalKey) error {
	if room, err := in.cl.people.roomOf(ctx, string(key.ID)); err != nil || room != "" {
		return err
	}
	if !in.cl.c.filter.allows(key) {
		return errNoRoomAllowed
	}
	portal, err := in.cl.c.br.GetPortalByKey(ctx, key)
	if err != nil {
		return err
	}
	// The room takes its name from the ghost when it is made, so the ghost has to have its own by then.
	ghost, err := in.cl.c.br.GetGhostByID(ctx, userID(string(key.ID)))
	if err != nil {
		return err
	}
	ghost.UpdateInfoIfNecessary(ctx, in.cl.login, bridgev2.RemoteEventMessage)
	return portal.CreateMatrixRoom(ctx, in.cl.login, nil)
}

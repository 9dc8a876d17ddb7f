package bridge

import (
	"context"

	"matrix-messenger/database"
)

// What the database cannot read of one person says nothing about the others: it holds up that person's chat, for a bounded
// time, and the account's other chats go on. When nothing at all can be read, everything waits.

// noticeUnreadable is told of messages to somebody of whom nothing can be read.
const noticeUnreadable = "what the bridge has stored about this person cannot be read, each time it is tried. Please tell your administrator, whose log has the error, and send it again when that is put right."

// addressed finds out where the rows of a burst go to, by chat. The rows of chats of which that cannot be read are left out. An
// error means that nothing can be read at the moment.
func (o *outbox) addressed(ctx context.Context, rows []database.OutboxMessage) (ready []database.OutboxMessage, to map[string]string, err error) {
	to = make(map[string]string)
	left := make(map[string]bool)
	for _, row := range rows {
		chat := row.ChatID
		if left[chat] {
			continue
		}
		if _, known := to[chat]; !known {
			address, err := o.cl.people.address(ctx, chat)
			if err != nil && (ctx.Err() != nil || troubleOf(err) != troubleUnclear) {
				return nil, nil, err
			} else if err != nil {
				if err = o.stumble(ctx, chat, err); err != nil {
					return nil, nil, err
				}
				left[chat] = true
				continue
			}
			to[chat] = address
			delete(o.stumbles, chat)
		}
		ready = append(ready, row)
	}
	return ready, to, nil
}

// stumble lets a chat rest of which something cannot be read, and when that has come maxUnclear times in a row, has the senders
// of what is queued in it told. It is the worker's.
func (o *outbox) stumble(ctx context.Context, chat string, reason error) error {
	sofar := o.stumbles[chat]
	if sofar == nil {
		sofar = &tries{}
		if o.stumbles == nil {
			o.stumbles = map[string]*tries{}
		}
		o.stumbles[chat] = sofar
	}
	sofar.failed++
	sofar.count(reason)
	o.cl.log.Warn().Err(reason).Int("attempt", sofar.failed).Msg("It cannot be read where the messages of a chat go to")
	if !sofar.isHopeless(reason) || !o.readsOthersOnly(ctx, chat) {
		o.rests.begin(chat, backoff(sofar.failed), o.kick)
		return nil
	}
	rows, err := o.cl.c.db.Outbox.FailQueued(ctx, o.cl.id(), chat, noticeUnreadable)
	if err != nil {
		return err
	}
	delete(o.stumbles, chat) // whoever writes again has as many tries
	o.cl.log.Error().Err(reason).Int("messages", len(rows)).Msg("What is stored about a contact cannot be read, so messages were given up")
	o.cl.c.notDelivered(len(rows), resultFailed)
	return nil
}

// readsOthersOnly tells whether the database takes something and shows contacts, but not that of this chat: then it is the one
// row that is damaged. The chat is asked for last, as everything may have come back a moment ago.
func (o *outbox) readsOthersOnly(ctx context.Context, chat string) bool {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	if err := o.cl.c.db.Probe(ctx); err != nil {
		return false
	}
	if _, _, err := o.cl.c.db.Contact.Get(ctx, o.cl.id(), ""); err != nil { // nobody, so no row can be at fault
		return false
	}
	_, err := o.cl.people.address(ctx, chat)
	return err != nil && troubleOf(err) == troubleUnclear
}

package bridge

import (
	"context"
	"time"

	"matrix-messenger/bridge/history/align"
	"matrix-messenger/database"
)

// States of entries of the chat log.
const (
	logUncertain = "uncertain" // written to a stream, and no answer yet
	logConfirmed = "confirmed"
)

// Sources of entries of the chat log.
const (
	sourceOutbox = "outbox"
	sourceInbox  = "inbox"
)

// textHash is what the log keeps of a text: enough to recognise it in the archive, which has no IDs.
func (cl *Client) textHash(chat, text string) (string, error) {
	return cl.c.db.TextHash(cl.id(), chat, align.Normalize(text))
}

// logOutgoing remembers messages that are about to be written, in the order in which they stand between the others of their chats.
func (cl *Client) logOutgoing(ctx context.Context, rows []database.OutboxMessage) error {
	entries := make([]database.LogEntry, len(rows))
	for i, row := range rows {
		hash, err := cl.textHash(row.ChatID, string(row.Body))
		if err != nil {
			return err
		}
		entries[i] = database.LogEntry{
			LoginID: row.LoginID, ChatID: row.ChatID, Key: row.StanzaID, Mine: true, TextHash: hash,
			Stamp: time.Now(), Source: sourceOutbox, State: logUncertain,
		}
	}
	return cl.c.db.ChatLog.Append(ctx, 0, entries...)
}

// logIncoming remembers a message that is in its room.
func (cl *Client) logIncoming(ctx context.Context, row database.Incoming, what incoming) error {
	hash, err := cl.textHash(row.ChatID, what.Text)
	if err != nil {
		return err
	}
	return cl.c.db.ChatLog.Append(ctx, 0, database.LogEntry{
		LoginID: row.LoginID, ChatID: row.ChatID, Key: row.DedupeKey, Mine: row.Kind == kindOwn, TextHash: hash,
		Stamp: what.Time, Source: sourceInbox, State: logConfirmed,
	})
}

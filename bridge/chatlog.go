package bridge

import (
	"context"
	"strings"
	"time"

	"maunium.net/go/mautrix/id"

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
	sourceOutbox  = "outbox"
	sourceInbox   = "inbox"   // received as it was sent: the time is ours
	sourceOffline = "offline" // stored by the service: the time is the service's
	sourceArchive = "archive" // found in the archive: likewise
)

// isStamped tells whether messages of a source have the service's time.
func isStamped(source string) bool { return source == sourceOffline || source == sourceArchive }

// stamp is the time by which a message is recognised.
func (what incoming) stamp() time.Time {
	if what.Stamp.IsZero() {
		return what.Time
	}
	return what.Stamp
}

// logLength is how many entries the log of a chat keeps: several times what the archive shows, since a Matrix message may be several stanzas.
func (cl *Client) logLength() int {
	return min(max(4*cl.c.Config.Archive.Count, database.DefaultChatLogLength), longestLog)
}

// longestLog is as much as the comparison looks at.
const longestLog = 500

// textHash is what the log keeps of a text: enough to recognise it in the archive, which has no IDs.
func (cl *Client) textHash(chat, text string) (string, error) {
	return cl.c.db.TextHash(cl.id(), chat, align.Normalize(text))
}

// logOutgoing remembers messages that are about to be written to a stream, in the order in which they stand between the others of their chats.
func (cl *Client) logOutgoing(ctx context.Context, rows []database.OutboxMessage, stream string) error {
	entries := make([]database.LogEntry, len(rows))
	for i, row := range rows {
		hash, err := cl.textHash(row.ChatID, string(row.Body))
		if err != nil {
			return err
		}
		entries[i] = database.LogEntry{
			LoginID: row.LoginID, ChatID: row.ChatID, Key: row.StanzaID, Mine: true, TextHash: hash,
			Stamp: time.Now(), Source: sourceOutbox, State: logUncertain, StreamID: stream,
		}
		if row.Parts > 1 {
			entries[i].Group = stanzaID(id.EventID(row.EventID), 0)
			if entries[i].Whole, err = cl.wholeHash(ctx, row, entries[i].Group); err != nil {
				return err
			}
		}
		cl.history.said(row.ChatID)
	}
	return cl.c.db.ChatLog.Append(ctx, cl.logLength(), entries...)
}

// wholeHash is the hash of the whole text of which a row is a part; the archive may show it in one piece. White space does not count in it, so it does not matter how the text was
// cut. A text of which a part was confirmed before the log knew it cannot be told any more.
func (cl *Client) wholeHash(ctx context.Context, row database.OutboxMessage, group string) (string, error) {
	if whole, err := cl.c.db.ChatLog.WholeOf(ctx, row.LoginID, row.ChatID, group); whole != "" || err != nil {
		return whole, err
	}
	parts, err := cl.c.db.Outbox.ByEvent(ctx, row.EventID)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, part := range parts {
		if len(part.Body) == 0 {
			return "", nil
		}
		text.Write(part.Body)
	}
	return cl.textHash(row.ChatID, text.String())
}

// logIncoming remembers a message that is in its room.
func (cl *Client) logIncoming(ctx context.Context, row database.Incoming, what incoming) error {
	hash, err := cl.textHash(row.ChatID, what.Text)
	if err != nil {
		return err
	}
	source := what.Source
	if source == "" {
		source = sourceInbox
	}
	return cl.c.db.ChatLog.Append(ctx, cl.logLength(), database.LogEntry{
		LoginID: row.LoginID, ChatID: row.ChatID, Key: row.DedupeKey, Mine: row.Kind == kindOwn, TextHash: hash,
		Stamp: what.stamp(), Source: source, State: logConfirmed, StreamID: what.Stream,
	})
}

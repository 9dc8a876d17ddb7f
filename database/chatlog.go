package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// DefaultChatLogLength is how many entries a chat keeps: several times what the archive shows (ten, messenger-protocol.md
// section 10), since a Matrix message may be several stanzas.
const DefaultChatLogLength = 60

// LogEntry is a message of a chat as the matching against the archive needs it. The text itself is not kept.
type LogEntry struct {
	Seq      int64 // order in the chat
	LoginID  string
	ChatID   string
	Key      string // names the message; unique per chat
	Mine     bool   // written by the user
	TextHash string // see Database.TextHash
	Stamp    time.Time
	Source   string // outbox, inbox, offline, archive: the bridge's own words
	State    string // the bridge's own words
	StreamID string // the stream it was written on, of a message of the bridge
	// Group names the message that this is a part of, and Whole is the TextHash of its whole text. Empty when it was not split.
	Group string
	Whole string
}

// ChatLogStore keeps the newest messages of each chat.
type ChatLogStore struct{ db *Database }

// Append adds entries at the end of their chats, in order, and drops what a chat has beyond keep entries (0:
// [DefaultChatLogLength]). An entry whose key is already there is left as it is.
func (s *ChatLogStore) Append(ctx context.Context, keep int, entries ...LogEntry) error {
	if keep <= 0 {
		keep = DefaultChatLogLength
	}
	return s.db.Write(ctx, func(ctx context.Context) error {
		chats := make(map[ChatKey]struct{})
		for _, entry := range entries {
			_, err := s.db.db.Exec(ctx, `
				INSERT INTO messenger_chat_log (login_id, chat_id, entry_key, mine, text_hash, stamp, source, state, stream_id, split_group, whole_hash)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (login_id, chat_id, entry_key) DO NOTHING
			`, entry.LoginID, entry.ChatID, entry.Key, entry.Mine, entry.TextHash, millis(entry.Stamp), entry.Source, entry.State,
				entry.StreamID, entry.Group, entry.Whole)
			if err != nil {
				return err
			}
			chats[ChatKey{entry.LoginID, entry.ChatID}] = struct{}{}
		}
		for chat := range chats {
			_, err := s.db.db.Exec(ctx, `
				DELETE FROM messenger_chat_log WHERE login_id=$1 AND chat_id=$2 AND seq<=(
					SELECT seq FROM messenger_chat_log WHERE login_id=$1 AND chat_id=$2 ORDER BY seq DESC LIMIT 1 OFFSET $3
				)
			`, chat.LoginID, chat.ChatID, keep)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Tail returns the newest entries of a chat, at most limit, oldest first.
func (s *ChatLogStore) Tail(ctx context.Context, loginID, chatID string, limit int) ([]LogEntry, error) {
	return queryAll(ctx, s.db, scanLogEntry, `SELECT * FROM (
		`+selectLogEntry+` WHERE login_id=$1 AND chat_id=$2 ORDER BY seq DESC LIMIT $3
	) newest ORDER BY seq`, loginID, chatID, limit)
}

const selectLogEntry = `
	SELECT seq, login_id, chat_id, entry_key, mine, text_hash, stamp, source, state, stream_id, split_group, whole_hash FROM messenger_chat_log`

// CountAt counts the entries of a chat from one of the given sources that have exactly this direction, text and time.
func (s *ChatLogStore) CountAt(ctx context.Context, loginID, chatID string, mine bool, textHash string, stamp time.Time, sources ...string) (int, error) {
	if len(sources) == 0 {
		return 0, nil
	}
	list, args := listOf(6, []any{loginID, chatID, mine, textHash, millis(stamp)}, sources)
	return queryCount(ctx, s.db, `
		SELECT COUNT(*) FROM messenger_chat_log
		WHERE login_id=$1 AND chat_id=$2 AND mine=$3 AND text_hash=$4 AND stamp=$5 AND source IN (`+list+`)
	`, args...)
}

// WholeOf is the hash of the whole text of a split message of which a part is in the log already, empty when there is none.
func (s *ChatLogStore) WholeOf(ctx context.Context, loginID, chatID, group string) (string, error) {
	whole, _, err := queryOne(ctx, s.db, dbutil.ScanSingleColumn[string], `
		SELECT whole_hash FROM messenger_chat_log WHERE login_id=$1 AND chat_id=$2 AND split_group=$3 LIMIT 1
	`, loginID, chatID, group)
	return whole, err
}

// SetState changes the state of an entry.
func (s *ChatLogStore) SetState(ctx context.Context, loginID, chatID, key, state string) error {
	_, err := s.db.exec(ctx, `
		UPDATE messenger_chat_log SET state=$4 WHERE login_id=$1 AND chat_id=$2 AND entry_key=$3
	`, loginID, chatID, key, state)
	return err
}

// Delete removes an entry, for a message that turned out not to exist on the service.
func (s *ChatLogStore) Delete(ctx context.Context, loginID, chatID, key string) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_chat_log WHERE login_id=$1 AND chat_id=$2 AND entry_key=$3`, loginID, chatID, key)
	return err
}

// Recent lists a login's chats in which something was said after the given time, the one used last first, at most limit.
func (s *ChatLogStore) Recent(ctx context.Context, loginID string, after time.Time, limit int) ([]ChatActivity, error) {
	return queryAll(ctx, s.db, scanChatActivity, `
		SELECT chat_id, MAX(stamp) FROM messenger_chat_log WHERE login_id=$1 AND stamp>$2
		GROUP BY chat_id ORDER BY MAX(stamp) DESC, chat_id LIMIT $3
	`, loginID, millis(after), limit)
}

// ChatActivity is a chat and when something was last said in it.
type ChatActivity struct {
	ChatID string
	Last   time.Time
}

func scanChatActivity(row dbutil.Scannable) (c ChatActivity, err error) {
	var last int64
	err = row.Scan(&c.ChatID, &last)
	c.Last = fromMillis(last)
	return c, err
}

func scanLogEntry(row dbutil.Scannable) (e LogEntry, err error) {
	var stamp int64
	err = row.Scan(&e.Seq, &e.LoginID, &e.ChatID, &e.Key, &e.Mine, &e.TextHash, &stamp, &e.Source, &e.State, &e.StreamID, &e.Group, &e.Whole)
	e.Stamp = fromMillis(stamp)
	return e, err
}

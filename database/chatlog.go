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
	Source   string // live, offline, archive, outbox…: the bridge's own words
	State    string // the bridge's own words
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
				INSERT INTO messenger_chat_log (login_id, chat_id, entry_key, mine, text_hash, stamp, source, state)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (login_id, chat_id, entry_key) DO NOTHING
			`, entry.LoginID, entry.ChatID, entry.Key, entry.Mine, entry.TextHash, millis(entry.Stamp), entry.Source, entry.State)
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
		SELECT seq, login_id, chat_id, entry_key, mine, text_hash, stamp, source, state FROM messenger_chat_log
		WHERE login_id=$1 AND chat_id=$2 ORDER BY seq DESC LIMIT $3
	) newest ORDER BY seq`, loginID, chatID, limit)
}

// Has reports whether a chat's log holds a key.
func (s *ChatLogStore) Has(ctx context.Context, loginID, chatID, key string) (bool, error) {
	count, err := queryCount(ctx, s.db, `
		SELECT COUNT(*) FROM messenger_chat_log WHERE login_id=$1 AND chat_id=$2 AND entry_key=$3
	`, loginID, chatID, key)
	return count > 0, err
}

// SetState changes the state of an entry.
func (s *ChatLogStore) SetState(ctx context.Context, loginID, chatID, key, state string) error {
	_, err := s.db.exec(ctx, `
		UPDATE messenger_chat_log SET state=$4 WHERE login_id=$1 AND chat_id=$2 AND entry_key=$3
	`, loginID, chatID, key, state)
	return err
}

// SetStamp changes the time of an entry, once the service's own time for it is known.
func (s *ChatLogStore) SetStamp(ctx context.Context, loginID, chatID, key string, stamp time.Time) error {
	_, err := s.db.exec(ctx, `
		UPDATE messenger_chat_log SET stamp=$4 WHERE login_id=$1 AND chat_id=$2 AND entry_key=$3
	`, loginID, chatID, key, millis(stamp))
	return err
}

// Delete removes an entry, for a message that turned out not to exist on the service.
func (s *ChatLogStore) Delete(ctx context.Context, loginID, chatID, key string) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_chat_log WHERE login_id=$1 AND chat_id=$2 AND entry_key=$3`, loginID, chatID, key)
	return err
}

// Chats lists a login's chats that have a log, most recently used first, with the time of their newest entry.
func (s *ChatLogStore) Chats(ctx context.Context, loginID string) ([]ChatActivity, error) {
	return queryAll(ctx, s.db, scanChatActivity, `
		SELECT chat_id, MAX(stamp) FROM messenger_chat_log WHERE login_id=$1 GROUP BY chat_id ORDER BY MAX(seq) DESC
	`, loginID)
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
	err = row.Scan(&e.Seq, &e.LoginID, &e.ChatID, &e.Key, &e.Mine, &e.TextHash, &stamp, &e.Source, &e.State)
	e.Stamp = fromMillis(stamp)
	return e, err
}

package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// ArchiveReadStore remembers when the archive of a chat was last read, which tells chats whose earlier messages were asked for from new ones.
type ArchiveReadStore struct{ db *Database }

// Get is when the archive of a chat was last read, zero when it never was.
func (s *ArchiveReadStore) Get(ctx context.Context, loginID, chatID string) (time.Time, error) {
	at, _, err := queryOne(ctx, s.db, dbutil.ScanSingleColumn[int64], `
		SELECT read_at FROM messenger_archive_read WHERE login_id=$1 AND chat_id=$2
	`, loginID, chatID)
	return fromMillis(at), err
}

// Set notes that the archive of a chat was read.
func (s *ArchiveReadStore) Set(ctx context.Context, loginID, chatID string, at time.Time) error {
	_, err := s.db.exec(ctx, `
		INSERT INTO messenger_archive_read (login_id, chat_id, read_at) VALUES ($1, $2, $3)
		ON CONFLICT (login_id, chat_id) DO UPDATE SET read_at=excluded.read_at
	`, loginID, chatID, millis(at))
	return err
}

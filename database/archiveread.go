package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// ArchiveReadStore remembers when the archive of a chat was last read, which tells chats whose earlier messages were asked for from new ones, and which messages
// came after something may have been missed.
type ArchiveReadStore struct{ db *Database }

// ArchiveRead is the latest reading of a chat's archive; At is zero when there was none.
type ArchiveRead struct {
	At       time.Time
	StreamID string // the stream that was asked
}

// Get is the latest reading of a chat's archive.
func (s *ArchiveReadStore) Get(ctx context.Context, loginID, chatID string) (ArchiveRead, error) {
	read, _, err := queryOne(ctx, s.db, scanArchiveRead, `
		SELECT read_at, stream_id FROM messenger_archive_read WHERE login_id=$1 AND chat_id=$2
	`, loginID, chatID)
	return read, err
}

// Set notes that the archive of a chat was read.
func (s *ArchiveReadStore) Set(ctx context.Context, loginID, chatID string, read ArchiveRead) error {
	_, err := s.db.exec(ctx, `
		INSERT INTO messenger_archive_read (login_id, chat_id, read_at, stream_id) VALUES ($1, $2, $3, $4)
		ON CONFLICT (login_id, chat_id) DO UPDATE SET read_at=excluded.read_at, stream_id=excluded.stream_id
	`, loginID, chatID, millis(read.At), read.StreamID)
	return err
}

func scanArchiveRead(row dbutil.Scannable) (read ArchiveRead, err error) {
	var at int64
	err = row.Scan(&at, &read.StreamID)
	read.At = fromMillis(at)
	return read, err
}

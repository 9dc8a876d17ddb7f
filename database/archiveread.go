package database

import (
	"context"
	"slices"
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

// Dismiss notes of a chat of which nothing is known that what its archive holds is not to be looked for:
// [ArchiveReadStore.Unseen] leaves it out. It ends with the next reading, or with Readmit.
func (s *ArchiveReadStore) Dismiss(ctx context.Context, loginID, chatID string) error {
	return s.Set(ctx, loginID, chatID, ArchiveRead{})
}

// Readmit undoes Dismiss.
func (s *ArchiveReadStore) Readmit(ctx context.Context, loginID, chatID string) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_archive_read WHERE login_id=$1 AND chat_id=$2 AND read_at=0`, loginID, chatID)
	return err
}

// Unseen are those of the given chats that have no message in the log and were not dismissed, in the order given.
func (s *ArchiveReadStore) Unseen(ctx context.Context, loginID string, chats []string) (unseen []string, err error) {
	seen := make(map[string]bool)
	for piece := range slices.Chunk(chats, maxListed) {
		list, args := listOf(2, []any{loginID}, piece)
		rows, err := queryAll(ctx, s.db, dbutil.ScanSingleColumn[string], `
			SELECT chat_id FROM messenger_archive_read WHERE login_id=$1 AND read_at=0 AND chat_id IN (`+list+`)
			UNION SELECT chat_id FROM messenger_chat_log WHERE login_id=$1 AND chat_id IN (`+list+`)
		`, args...)
		if err != nil {
			return nil, err
		}
		for _, chat := range rows {
			seen[chat] = true
		}
	}
	for _, chat := range chats {
		if !seen[chat] {
			unseen = append(unseen, chat)
		}
	}
	return unseen, nil
}

func scanArchiveRead(row dbutil.Scannable) (read ArchiveRead, err error) {
	var at int64
	err = row.Scan(&at, &read.StreamID)
	read.At = fromMillis(at)
	return read, err
}
